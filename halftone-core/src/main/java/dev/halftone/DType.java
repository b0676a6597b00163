package dev.halftone;

import java.util.Locale;

/// Element types of tensors, named as safetensors names them and declared in its order, by which it sorts a file's
/// tensors.
public enum DType {
    BOOL(1),
    U8(1),
    I8(1),
    F8_E5M2(1),
    F8_E4M3(1),
    F8_E8M0(1),
    I16(2),
    U16(2),
    F16(2),
    BF16(2),
    I32(4),
    U32(4),
    F32(4),
    F64(8),
    I64(8),
    U64(8);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /// Bytes of one element.
    public int bytes() {
        return bytes;
    }

    public boolean isFloat() {
        return switch (this) {
            case F8_E4M3, F8_E5M2, F8_E8M0, F16, BF16, F32, F64 -> true;
            case BOOL, U8, I8, I16, U16, I32, U32, I64, U64 -> false;
        };
    }

    /// The smallest normal number of a floating point type, torch's `finfo(dtype).smallest_normal`.
    public double smallestNormal() {
        return switch (this) {
            case F32, BF16 -> Float.MIN_NORMAL;
            case F16 -> 0x1p-14;
            case F64 -> Double.MIN_NORMAL;
            default -> throw new IllegalArgumentException(this + " has no smallest normal number here");
        };
    }

    /// The name that `config.json` uses (`torch_dtype`, `dtype`): float32, bfloat16, …
    public String torchName() {
        return switch (this) {
            case BOOL -> "bool";
            case U8 -> "uint8";
            case I8 -> "int8";
            case F8_E4M3 -> "float8_e4m3fn";
            case F8_E5M2 -> "float8_e5m2";
            case F8_E8M0 -> "float8_e8m0fnu";
            case I16 -> "int16";
            case U16 -> "uint16";
            case F16 -> "float16";
            case BF16 -> "bfloat16";
            case I32 -> "int32";
            case U32 -> "uint32";
            case F32 -> "float32";
            case I64 -> "int64";
            case U64 -> "uint64";
            case F64 -> "float64";
        };
    }

    /// Reads a name in any of the three spellings in use: `bf16` (torchtune), `bfloat16` (Hugging Face, also with
    /// `torch.` before it), `BF16` (safetensors).
    ///
    /// @throws InputException if no type has that name
    public static DType parse(String name) {
        String s = name.toLowerCase(Locale.ROOT);
        s = s.startsWith("torch.") ? s.substring("torch.".length()) : s;
        for (DType d : values()) {
            if (s.equals(d.name().toLowerCase(Locale.ROOT)) || s.equals(d.torchName())) {
                return d;
            }
        }
        return switch (s) {
            case "fp32" -> F32;
            case "fp16", "half" -> F16;
            case "fp64", "double" -> F64;
            case "float" -> F32;
            default ->
                throw new InputException(
                        "'%s' is not an element type. Use bf16 (bfloat16), fp32 (float32) or fp16 (float16)."
                                .formatted(name));
        };
    }
}
