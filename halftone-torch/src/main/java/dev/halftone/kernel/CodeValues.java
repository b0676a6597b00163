package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.AmaxOracle;
import dev.halftone.quant.ChainedGrid;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Element;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Nvfp4Oracle;
import dev.halftone.quant.Q8Grid;
import dev.halftone.quant.StaticGrid;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What codes stand for: `scale · number + offset`, with a scale and an offset for each group of neighbours in a row.
///
/// Where the arithmetic of a grid is in bfloat16, its values are these, rounded.
///
/// @param numbers by code, as its bits lie in a byte: whole where several share one, and within a signed byte where
/// they
///     are no floats
/// @param format of numbers that are floats, which those of codes that share a byte are in halves; null where they are
///     whole
/// @param scales one a group; a byte each where the grid stores bytes
/// @param offsets one a group; null where all are 0
@SuppressWarnings("ArrayRecordComponent")
record CodeValues(float[] numbers, @Nullable MiniFloat format, Scales scales, float @Nullable [] offsets) {
    /// Numbers in as few bytes as they are stored in.
    ///
    /// @param bytes null where `numbers` are the scales themselves, else the places in `numbers` where they stand
    @SuppressWarnings("ArrayRecordComponent")
    record Scales(byte @Nullable [] bytes, float[] numbers) {
        float get(int i) {
            return bytes == null ? numbers[i] : numbers[bytes[i] & 0xff];
        }

        /// Makes the scale of a group NaN.
        void spoil(int i) {
            if (bytes == null) {
                numbers[i] = Float.NaN;
            } else {
                // NaN in all formats of a byte that scales have.
                bytes[i] = (byte) 0xff;
            }
        }
    }

    /// @param perByte codes in a byte
    /// @param groups of the whole matrix
    static CodeValues of(Quantized packed, Grid grid, int perByte, int groups) {
        if (grid instanceof ChainedGrid chain) {
            return of(packed, chain.second(), perByte, groups);
        }
        MiniFloat format = format(grid);
        int bits = Byte.SIZE / perByte;
        // What is taken from the bits of a code to give its number, so that it fits a signed byte.
        int less =
                perByte > 1 ? GridMatrix.offset(grid) : grid.codeDtype() == DType.I8 || grid.codeBits() < 8 ? 0 : 128;
        float[] numbers = new float[1 << bits];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = format == null ? (byte) (i - less) : format.decode((byte) i) * (perByte > 1 ? 2 : 1);
        }
        Scales scales = scales(packed, grid, groups);
        // Zero points belong to the codes themselves.
        float[] offsets = offsets(packed, grid, scales, groups, perByte > 1 || format != null ? 0 : less);
        if (format != null && perByte > 1) {
            for (int i = 0; i < scales.numbers().length; i++) {
                scales.numbers()[i] /= 2;
            }
        }
        return new CodeValues(numbers, format, scales, offsets);
    }

    private static @Nullable MiniFloat format(Grid grid) {
        return switch (grid) {
            case MxGrid g -> g.format().format();
            case Nvfp4Grid _ -> MiniFloat.E2M1;
            case AmaxGrid g -> g.element() instanceof Element.Floats(MiniFloat format) ? format : null;
            case GgufGrid g -> g.lattice().rule() == GgufLattice.Rule.E2M1 ? MiniFloat.E2M1 : null;
            default -> null;
        };
    }

    private static Scales scales(Quantized q, Grid grid, int groups) {
        Tensor tensorScale = q.tensorScale();
        float whole = tensorScale == null ? 1 : Torch.floats(tensorScale)[0];
        Tensor scale = q.scale();
        if (scale.element_size() > 1) {
            float[] numbers = each(Torch.floats(scale), groups);
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] = unit(numbers[i], whole, grid);
            }
            return new Scales(null, numbers);
        }
        try (Scope _ = Scope.open()) {
            byte[] all = new byte[256];
            for (int i = 0; i < all.length; i++) {
                all[i] = (byte) i;
            }
            float[] numbers = Torch.floats(Torch.of(MemorySegment.ofArray(all), Torch.dtype(scale), all.length));
            for (int i = 0; i < numbers.length; i++) {
                numbers[i] = unit(numbers[i], whole, grid);
            }
            return new Scales(Torch.memory(scale.contiguous()).toArray(ValueLayout.JAVA_BYTE), numbers);
        }
    }

    /// What the number 1 stands for.
    private static float unit(float scale, float tensorScale, Grid grid) {
        return switch (grid) {
            case IntxGrid _, LearnedGrid _, CompressedIntGrid _, Int4Grid _, GgufGrid _ -> scale;
            case MxGrid g -> g.format() == MxFormat.MXINT8 ? scale / 64 : scale;
            case Nvfp4Grid g -> Nvfp4Oracle.unit(scale, tensorScale, g);
            case AmaxGrid g -> {
                float out = AmaxOracle.stored(scale, g).out();
                yield g.divides() ? 1 / out : out;
            }
            case ChainedGrid g -> unit(scale, tensorScale, g.second());
            case Q8Grid _, StaticGrid _ -> throw new IllegalArgumentException("no grid of weights: " + grid);
        };
    }

    private static float @Nullable [] offsets(Quantized q, Grid grid, Scales scales, int groups, int less) {
        Tensor zeroPoint = q.zeroPoint();
        float[] zeros = zeroPoint == null ? null : each(Torch.floats(zeroPoint), groups);
        int middle = (grid instanceof Int4Grid g ? g.middle() : 0) - less;
        if (zeros == null && middle == 0) {
            return null;
        }
        boolean minimum = grid instanceof Int4Grid || grid instanceof GgufGrid;
        float[] offsets = new float[groups];
        for (int i = 0; i < offsets.length; i++) {
            float zero = zeros == null ? 0 : minimum ? zeros[i] : -zeros[i] * scales.get(i);
            offsets[i] = zero - middle * scales.get(i);
        }
        return offsets;
    }

    /// A number for each group, also where all share one.
    private static float[] each(float[] numbers, int groups) {
        if (numbers.length == groups) {
            return numbers;
        }
        float[] all = new float[groups];
        Arrays.fill(all, numbers[0]);
        return all;
    }
}
