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

/// What codes stand for: `scale · number + times · offset`, with a scale and an offset for each group of neighbours
/// in a row. Codes that share a byte are whole unsigned numbers, as [GridMatrix] packs them, or floats.
///
/// Where the arithmetic of a grid is in bfloat16, its values are these, rounded.
///
/// @param signed whether codes of a whole byte are signed numbers
/// @param format of numbers that are floats; null where a code is the number
/// @param scales one a group; a byte each where the grid stores bytes
/// @param offsets one a group; null where all are 0
/// @param times what the offsets are multiplied by: so those that are a multiple of the scales need no array
@SuppressWarnings("ArrayRecordComponent")
record CodeValues(boolean signed, @Nullable MiniFloat format, Scales scales, float @Nullable [] offsets, float times) {
    /// Numbers in as few bytes as they are stored in.
    ///
    /// @param bytes null where `numbers` are the scales themselves, else the places in `numbers` where they stand
    @SuppressWarnings("ArrayRecordComponent")
    record Scales(byte @Nullable [] bytes, float[] numbers) {
        float get(int i) {
            return bytes == null ? numbers[i] : numbers[bytes[i] & 0xff];
        }

        /// Writes those of some groups from the group `from` on, the `i`th to `to[at + i]`.
        void spread(int from, int[] groups, float[] to, int at) {
            if (bytes == null) {
                for (int i = 0; i < groups.length; i++) {
                    to[at + i] = numbers[from + groups[i]];
                }
            } else {
                for (int i = 0; i < groups.length; i++) {
                    to[at + i] = numbers[bytes[from + groups[i]] & 0xff];
                }
            }
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
        Scales scales = scales(packed, grid, groups);
        boolean signed = grid.codeDtype() == DType.I8;
        // What makes a code the number that is scaled.
        int middle = (perByte > 1 ? GridMatrix.offset(grid) : 0) + (grid instanceof Int4Grid g ? g.middle() : 0);
        Tensor zeroPoint = packed.zeroPoint();
        if (zeroPoint == null) {
            return new CodeValues(signed, format, scales, middle == 0 ? null : scales.numbers(), -middle);
        }
        boolean minimum = grid instanceof Int4Grid || grid instanceof GgufGrid;
        float[] offsets = each(Torch.floats(zeroPoint), groups);
        for (int i = 0; i < offsets.length; i++) {
            float scale = scales.get(i);
            offsets[i] = (minimum ? offsets[i] : -offsets[i] * scale) - middle * scale;
        }
        return new CodeValues(signed, format, scales, offsets, 1);
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
