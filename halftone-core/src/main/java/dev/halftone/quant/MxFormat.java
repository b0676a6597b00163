package dev.halftone.quant;

import dev.halftone.InputException;
import java.util.Arrays;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The elements of the OCP Microscaling Formats v1.0 (section 5.3): what a value of a block is stored as, beside the
/// power of two that the block shares.
public enum MxFormat {
    MXFP4("mxfp4", MiniFloat.E2M1),
    MXFP6_E2M3("mxfp6_e2m3", MiniFloat.E2M3),
    MXFP6_E3M2("mxfp6_e3m2", MiniFloat.E3M2),
    MXFP8_E4M3("mxfp8_e4m3", MiniFloat.E4M3),
    MXFP8_E5M2("mxfp8_e5m2", MiniFloat.E5M2),
    /// Whole numbers of 64ths. -128 is left out, so that the numbers are as many on both sides of zero, which the
    /// specification allows (section 5.3.4) and every implementation does.
    MXINT8("mxint8", null);

    private static final int FRACTION_BITS = 6;

    private final String label;
    private final @Nullable MiniFloat format;

    MxFormat(String label, @Nullable MiniFloat format) {
        this.label = label;
        this.format = format;
    }

    /// Reads a label, or torchao's name of the elements: `float4_e2m1fn_x2`, `fp6_e2m3`, `fp6_e3m2`,
    /// `float8_e4m3fn`, `float8_e5m2`, also with `torch.` before it.
    ///
    /// @throws InputException if it is none
    public static MxFormat parse(String text) {
        String name = text.startsWith("torch.") ? text.substring("torch.".length()) : text;
        return switch (name) {
            case "float4_e2m1fn_x2" -> MXFP4;
            case "fp6_e2m3" -> MXFP6_E2M3;
            case "fp6_e3m2" -> MXFP6_E3M2;
            case "float8_e4m3fn" -> MXFP8_E4M3;
            case "float8_e5m2" -> MXFP8_E5M2;
            default ->
                Arrays.stream(values())
                        .filter(f -> f.label.equals(name))
                        .findFirst()
                        .orElseThrow(() -> new InputException("'%s' is no MX format. Use one of %s."
                                .formatted(
                                        text,
                                        Arrays.stream(values())
                                                .map(MxFormat::label)
                                                .collect(Collectors.joining(", ")))));
        };
    }

    /// The name in configurations, reports and artifacts.
    public String label() {
        return label;
    }

    /// The float format of an element; null where elements are integers.
    public @Nullable MiniFloat format() {
        return format;
    }

    /// Bits of a code.
    public int bits() {
        return format == null ? Byte.SIZE : format.bits();
    }

    /// The largest number: 6, 7.5, 28, 448, 57344, 127/64.
    public float max() {
        return format == null ? 127f / 64 : format.max();
    }

    /// The exponent of the largest number.
    public int maxExponent() {
        return Math.getExponent(max());
    }

    /// Bits of the largest number below its leading one.
    public int mantissaBits() {
        return format == null ? FRACTION_BITS : format.mantissaBits();
    }

    /// The number of this format that is nearest to `v`: ties to even, the largest for whatever lies beyond it, NaN
    /// kept. A float's zero keeps its sign, an integer's is +0.
    public float round(float v) {
        if (format != null) {
            return format.round(v);
        }
        float rounded = (float) Math.rint(v * 64);
        return Math.min(Math.max(rounded, -127), 127) / 64 + 0f;
    }

    /// The code of [#round]`(v)`; that of NaN is 0 where no code stands for it.
    public byte encode(float v) {
        return format == null ? (byte) (round(v) * 64) : format.encode(v);
    }

    /// The number that a code stands for.
    public float decode(byte code) {
        return format == null ? code / 64f : format.decode(code);
    }
}
