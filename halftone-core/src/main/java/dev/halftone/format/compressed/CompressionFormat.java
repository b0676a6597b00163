package dev.halftone.format.compressed;

import dev.halftone.DType;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int32Packing;
import java.util.Arrays;
import java.util.Optional;

/// The formats of compressed-tensors 0.20 (its class of this name): which tensors a quantized weight `[N, K]` with
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
public enum CompressionFormat {
    PACK("pack-quantized", "_packed"),
    INT("int-quantized", ""),
    FLOAT("float-quantized", ""),
    NVFP4("nvfp4-pack-quantized", "_packed"),
    MXFP4("mxfp4-pack-quantized", "_packed"),
    MXFP8("mxfp8-quantized", "");

    private final String label;
    private final String suffix;

    CompressionFormat(String label, String suffix) {
        this.label = label;
        this.suffix = suffix;
    }

    /// Its name in `config.json`.
    public String label() {
        return label;
    }

    /// The format of that name; empty where it is none of these.
    public static Optional<CompressionFormat> of(String label) {
        return Arrays.stream(values()).filter(l -> l.label.equals(label)).findFirst();
    }

    /// What the name of the tensor with the codes has after that of the weight.
    public String suffix() {
        return suffix;
    }

    /// Type of the tensor with the codes.
    public DType codesDtype() {
        return switch (this) {
            case PACK -> DType.I32;
            case INT -> DType.I8;
            case FLOAT, MXFP8 -> DType.F8_E4M3;
            case NVFP4, MXFP4 -> DType.U8;
        };
    }

    /// Shape of the tensor with the codes.
    ///
    /// @param shape of the weight, as everywhere below
    public long[] codesShape(long[] shape, Grid grid) {
        long columns = switch (this) {
            case PACK -> Int32Packing.wordsPerRow(Math.toIntExact(shape[1]), grid.codeBits());
            case INT, FLOAT, MXFP8 -> shape[1];
            case NVFP4, MXFP4 -> shape[1] / 2;
        };
        return new long[] {shape[0], columns};
    }

    /// Whether scales are powers of two, stored as the exponents of E8M0.
    public boolean exponents() {
        return this == MXFP4 || this == MXFP8;
    }

    /// Type that scales are stored in.
    public DType scaleDtype(Grid grid) {
        return exponents() ? DType.U8 : grid.scaleDtype();
    }

    public long[] scaleShape(long[] shape, Grid grid) {
        return grid.granularity() instanceof Granularity.PerTensor
                ? new long[] {1}
                : grid.granularity().scaleShape(shape);
    }

    /// Whether zero points are packed as codes are.
    public boolean packsZeroPoint(Grid grid) {
        return this == PACK
                && grid.zeroPointDtype() == DType.I8
                && !(grid.granularity() instanceof Granularity.PerTensor);
    }

    public long[] zeroPointShape(long[] shape, Grid grid) {
        long[] scales = scaleShape(shape, grid);
        return packsZeroPoint(grid)
                ? new long[] {Int32Packing.wordsPerRow(Math.toIntExact(shape[0]), grid.codeBits()), scales[1]}
                : scales;
    }
}
