package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.format.compressed.CompressionFormat;
import dev.halftone.quant.Fp4Packing;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;

/// The parts of a quantized weight `[N, K]` as tensors of a folder, and back: the shapes and types are those of
/// [CompressionFormat].
final class WeightTensors {
    private WeightTensors() {}

    /// @param codes_NK in the grid's code dtype
    static Tensor codes(CompressionFormat format, Tensor codes_NK, Grid grid) {
        return switch (format) {
            case PACK -> PackedCodes.pack(codes_NK, grid);
            case INT -> codes_NK;
            case FLOAT, MXFP8 -> Ops.view(codes_NK, DType.F8_E4M3);
            case NVFP4, MXFP4 -> {
                MemorySegment packed = MemorySegment.ofArray(Fp4Packing.pack(bytes(codes_NK)));
                yield Torch.of(packed, DType.U8, format.codesShape(Torch.shape(codes_NK), grid));
            }
        };
    }

    /// The inverse of [#codes].
    ///
    /// @param stored on the CPU
    static Tensor codesOf(CompressionFormat format, Tensor stored, long[] shape, Grid grid) {
        return switch (format) {
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

    static Tensor scale(CompressionFormat format, Tensor scale, long[] shape, Grid grid) {
        Tensor stored = scale.view(format.scaleShape(shape, grid));
        return format.exponents() ? Ops.view(stored, DType.U8) : stored;
    }

    /// The inverse of [#scale].
    static Tensor scaleOf(CompressionFormat format, Tensor stored, long[] shape, Grid grid) {
        Tensor scale = stored.view(grid.granularity().scaleShape(shape));
        return format.exponents() ? Ops.view(scale, DType.F8_E8M0) : scale;
    }

    static Tensor zeroPoint(CompressionFormat format, Tensor zeroPoint, long[] shape, Grid grid) {
        return format.packsZeroPoint(grid)
                ? PackedCodes.packColumns(zeroPoint, grid)
                : zeroPoint.view(format.zeroPointShape(shape, grid));
    }

    /// The inverse of [#zeroPoint].
    static Tensor zeroPointOf(CompressionFormat format, Tensor stored, long[] shape, Grid grid) {
        return format.packsZeroPoint(grid)
                ? PackedCodes.unpackColumns(stored, Math.toIntExact(shape[0]), grid)
                : stored.view(grid.granularity().scaleShape(shape));
    }
}
