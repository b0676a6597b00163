package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Rows of codes, one a byte, whose values are `scale · code + offset` with a scale and an offset for each group.
///
/// Where the arithmetic of the grid is in bfloat16, its values are these, rounded; here they are not.
///
/// @param signed whether codes are signed
/// @param scales one a group, row-major
/// @param offsets one a group; null where all are 0
@SuppressWarnings("ArrayRecordComponent")
record CodeRows(
        MemorySegment w, boolean signed, int rows, int columns, int group, float[] scales, float @Nullable [] offsets)
        implements RowMatrix {
    private static final int STEP = 4 * LANES;

    /// Empty for grids whose values are not linear in the codes, and for groups that are not made of eights.
    static Optional<RowMatrix> of(Quantized q, Grid grid) {
        int columns = Math.toIntExact(q.codes().size(1));
        int group = grid.granularity().groupSize(columns);
        return switch (grid) {
            case IntxGrid _, LearnedGrid _, CompressedIntGrid _, Int4Grid _
            when group % LANES == 0 && columns > 0 -> {
                float[] scales = groups(q.scale(), q, group);
                yield Optional.of(new CodeRows(
                        Torch.memory(q.codes()),
                        grid.codeDtype() == DType.I8,
                        Math.toIntExact(q.codes().size(0)),
                        columns,
                        group,
                        scales,
                        offsets(q, grid, scales, group)));
            }
            default -> Optional.empty();
        };
    }

    private static float @Nullable [] offsets(Quantized q, Grid grid, float[] scales, int group) {
        Tensor zeroPoint = q.zeroPoint();
        float[] zero = zeroPoint == null ? null : groups(zeroPoint, q, group);
        int middle = grid instanceof Int4Grid g ? g.middle() : 0;
        if (zero == null && middle == 0) {
            return null;
        }
        float[] offsets = new float[scales.length];
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = zero == null
                    ? -middle * scales[i]
                    : grid instanceof Int4Grid ? zero[i] - middle * scales[i] : -zero[i] * scales[i];
        }
        return offsets;
    }

    /// A number for each group, also where several groups share one.
    private static float[] groups(Tensor numbers, Quantized q, int group) {
        float[] few = Torch.floats(numbers);
        float[] all = new float[Math.toIntExact(q.codes().numel() / group)];
        for (int i = 0; i < all.length; i++) {
            all[i] = few[(int) ((long) i * few.length / all.length)];
        }
        return all;
    }

    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        int perRow = columns / group;
        float[] lanes = new float[LANES];
        for (int r = from; r < to; r++) {
            for (int p = 0; p < PARTS; p++) {
                FloatVector sum = group % STEP != 0 ? eights(x, r, p) : signed ? signed(x, r, p) : unsigned(x, r, p);
                sum.intoArray(lanes, p * WIDTH);
            }
            y[r] = RowVectors.sum(lanes);
        }
        if (offsets != null) {
            float[] sums = RowVectors.sums(x, group);
            for (int r = from; r < to; r++) {
                float offset = 0;
                for (int g = 0; g < perRow; g++) {
                    offset += offsets[r * perRow + g] * sums[g];
                }
                y[r] += offset;
            }
        }
    }

    private FloatVector signed(float[] x, int row, int p) {
        FloatVector sum = FloatVector.zero(F);
        long at = (long) row * columns;
        int scale = row * (columns / group);
        int i = p * WIDTH;
        for (int end = group; end <= columns; end += group, scale++) {
            FloatVector factor = FloatVector.broadcast(F, scales[scale]);
            for (; i < end; i += STEP, at += STEP) {
                FloatVector s = RowVectors.signed(w, at, p).mul(FloatVector.fromArray(F, x, i));
                s = RowVectors.signed(w, at + 8, p).fma(FloatVector.fromArray(F, x, i + 8), s);
                s = RowVectors.signed(w, at + 16, p).fma(FloatVector.fromArray(F, x, i + 16), s);
                s = RowVectors.signed(w, at + 24, p).fma(FloatVector.fromArray(F, x, i + 24), s);
                sum = s.fma(factor, sum);
            }
        }
        return sum;
    }

    private FloatVector unsigned(float[] x, int row, int p) {
        FloatVector sum = FloatVector.zero(F);
        long at = (long) row * columns;
        int scale = row * (columns / group);
        int i = p * WIDTH;
        for (int end = group; end <= columns; end += group, scale++) {
            FloatVector factor = FloatVector.broadcast(F, scales[scale]);
            for (; i < end; i += STEP, at += STEP) {
                FloatVector s = whole(at, p).mul(FloatVector.fromArray(F, x, i));
                s = whole(at + 8, p).fma(FloatVector.fromArray(F, x, i + 8), s);
                s = whole(at + 16, p).fma(FloatVector.fromArray(F, x, i + 16), s);
                s = whole(at + 24, p).fma(FloatVector.fromArray(F, x, i + 24), s);
                sum = s.fma(factor, sum);
            }
        }
        return sum;
    }

    /// For groups that are made of eights only.
    private FloatVector eights(float[] x, int row, int p) {
        FloatVector sum = FloatVector.zero(F);
        long at = (long) row * columns;
        int scale = row * (columns / group);
        int i = p * WIDTH;
        for (int end = group; end <= columns; end += group, scale++) {
            for (; i < end; i += LANES, at += LANES) {
                FloatVector codes = signed ? RowVectors.signed(w, at, p) : whole(at, p);
                FloatVector s = codes.mul(FloatVector.fromArray(F, x, i));
                sum = s.fma(FloatVector.broadcast(F, scales[scale]), sum);
            }
        }
        return sum;
    }

    private FloatVector whole(long at, int p) {
        return RowVectors.floats(RowVectors.unsigned(w, at, p));
    }
}
