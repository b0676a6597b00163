package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.quant.Fp4Packing;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int32Packing;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// The layouts of compressed-tensors 0.20 (its `CompressionFormat`): which tensors a quantized weight `[N, K]` with
/// `G` scales a row becomes.
///
/// ```text
/// PACK     weight_packed  int32 [N, words]  the codes (Int32Packing)
///          weight_shape   int64 [2]         N, K
/// INT      weight         int8 [N, K]       the codes, a byte each
/// FLOAT    weight         float8_e4m3fn [N, K]
/// NVFP4    weight_packed  uint8 [N, K/2]    two codes a byte (Fp4Packing)
/// MXFP4    weight_packed  uint8 [N, K/2]
/// MXFP8    weight         float8_e4m3fn [N, K]
///
/// weight_scale            [N, G], or [1] where the tensor has one; the exponents of MX as uint8
/// weight_zero_point       [N, G] int8; in PACK packed along N: int32 [words, G]
/// weight_global_scale     float32 [1]       of NVFP4: the number that scales were multiplied by
/// ```
///
/// PACK is also what Halftone stores a scheme in that compressed-tensors cannot express: zero points that are no codes
/// keep their type, and scales theirs.
enum WeightLayout {
    PACK("pack-quantized", "_packed"),
    INT("int-quantized", ""),
    FLOAT("float-quantized", ""),
    NVFP4("nvfp4-pack-quantized", "_packed"),
    MXFP4("mxfp4-pack-quantized", "_packed"),
    MXFP8("mxfp8-quantized", "");

    private final String label;
    private final String suffix;

    WeightLayout(String label, String suffix) {
        this.label = label;
        this.suffix = suffix;
    }

    /// Its name in `config.json`.
    String label() {
        return label;
    }

    static Optional<WeightLayout> of(String label) {
        return Arrays.stream(values()).filter(l -> l.label.equals(label)).findFirst();
    }

    /// What the name of the tensor with the codes has after that of the weight.
    String suffix() {
        return suffix;
    }

    DType codesDtype() {
        return switch (this) {
            case PACK -> DType.I32;
            case INT -> DType.I8;
            case FLOAT, MXFP8 -> DType.F8_E4M3;
            case NVFP4, MXFP4 -> DType.U8;
        };
    }

    long[] codesShape(long[] shape, Grid grid) {
        long columns = switch (this) {
            case PACK -> Int32Packing.wordsPerRow(Math.toIntExact(shape[1]), grid.codeBits());
            case INT, FLOAT, MXFP8 -> shape[1];
            case NVFP4, MXFP4 -> shape[1] / 2;
        };
        return new long[] {shape[0], columns};
    }

    /// @param codes_NK in the grid's code dtype
    Tensor codes(Tensor codes_NK, Grid grid) {
        return switch (this) {
            case PACK -> PackedCodes.pack(codes_NK, grid);
            case INT -> codes_NK;
            case FLOAT, MXFP8 -> Ops.view(codes_NK, DType.F8_E4M3);
            case NVFP4, MXFP4 -> {
                byte[] packed = Fp4Packing.pack(bytes(codes_NK));
                yield Torch.of(MemorySegment.ofArray(packed), DType.U8, codesShape(Torch.shape(codes_NK), grid));
            }
        };
    }

    /// The inverse of [#codes].
    ///
    /// @param stored on the CPU
    Tensor codesOf(Tensor stored, long[] shape, Grid grid) {
        return switch (this) {
            case PACK -> PackedCodes.unpack(stored, Math.toIntExact(shape[1]), grid);
            case INT -> stored;
            case FLOAT, MXFP8 -> Ops.view(stored, DType.U8);
            case NVFP4, MXFP4 -> Torch.of(MemorySegment.ofArray(Fp4Packing.unpack(bytes(stored))), DType.U8, shape);
        };
    }

    private static byte[] bytes(Tensor t) {
        try (Scope _ = Scope.open()) {
            return Torch.memory(t.cpu().contiguous()).toArray(ValueLayout.JAVA_BYTE);
        }
    }

    DType scaleDtype(Grid grid) {
        return exponents() ? DType.U8 : grid.scaleDtype();
    }

    long[] scaleShape(long[] shape, Grid grid) {
        return grid.granularity() instanceof Granularity.PerTensor
                ? new long[] {1}
                : grid.granularity().scaleShape(shape);
    }

    Tensor scale(Tensor scale, long[] shape, Grid grid) {
        Tensor stored = scale.view(scaleShape(shape, grid));
        return exponents() ? Ops.view(stored, DType.U8) : stored;
    }

    /// The inverse of [#scale].
    Tensor scaleOf(Tensor stored, long[] shape, Grid grid) {
        Tensor scale = stored.view(grid.granularity().scaleShape(shape));
        return exponents() ? Ops.view(scale, DType.F8_E8M0) : scale;
    }

    private boolean exponents() {
        return this == MXFP4 || this == MXFP8;
    }

    /// Whether zero points are packed as codes are.
    boolean packsZeroPoint(Grid grid) {
        return this == PACK
                && grid.zeroPointDtype() == DType.I8
                && !(grid.granularity() instanceof Granularity.PerTensor);
    }

    /// @param shape of the weight
    long[] zeroPointShape(long[] shape, Grid grid) {
        long[] scales = scaleShape(shape, grid);
        return packsZeroPoint(grid)
                ? new long[] {Int32Packing.wordsPerRow(Math.toIntExact(shape[0]), grid.codeBits()), scales[1]}
                : scales;
    }

    Tensor zeroPoint(Tensor zeroPoint, long[] shape, Grid grid) {
        return packsZeroPoint(grid)
                ? PackedCodes.packColumns(zeroPoint, grid)
                : zeroPoint.view(zeroPointShape(shape, grid));
    }

    /// The inverse of [#zeroPoint].
    Tensor zeroPointOf(Tensor stored, long[] shape, Grid grid) {
        return packsZeroPoint(grid)
                ? PackedCodes.unpackColumns(stored, Math.toIntExact(shape[0]), grid)
                : stored.view(grid.granularity().scaleShape(shape));
    }
}
