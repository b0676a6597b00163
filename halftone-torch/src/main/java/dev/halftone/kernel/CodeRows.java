package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.MEMORY;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.ByteVector.SPECIES_64;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
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
        implements FourRows {
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
    public void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        if (signed) {
            signed(x, r0, r1, r2, r3, lanes);
        } else {
            unsigned(x, r0, r1, r2, r3, lanes);
        }
    }

    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        FourRows.super.multiply(x, y, from, to);
        if (offsets != null) {
            int perRow = columns / group;
            float[] sums = RowVectors.sums(x, group);
            for (int r = from; r < to; r++) {
                y[r] += RowVectors.dot(offsets, r * perRow, sums, 0, perRow);
            }
        }
    }

    private void signed(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        int perRow = columns / group;
        long a = RowVectors.address(w, (long) rows * columns);
        long a0 = a + (long) r0 * columns;
        long a1 = a + (long) r1 * columns;
        long a2 = a + (long) r2 * columns;
        long a3 = a + (long) r3 * columns;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.zero(F);
            FloatVector t1 = t0;
            FloatVector t2 = t0;
            FloatVector t3 = t0;
            for (int g = 0; g < perRow; g++) {
                FloatVector s0 = FloatVector.zero(F);
                FloatVector s1 = s0;
                FloatVector s2 = s0;
                FloatVector s3 = s0;
                for (int c = g * group; c < (g + 1) * group; c += LANES) {
                    FloatVector v = FloatVector.fromArray(F, x, c + p * WIDTH);
                    ByteVector b0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + c, LITTLE_ENDIAN);
                    s0 = ((FloatVector) b0.convertShape(B2F, F, p)).fma(v, s0);
                    ByteVector b1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + c, LITTLE_ENDIAN);
                    s1 = ((FloatVector) b1.convertShape(B2F, F, p)).fma(v, s1);
                    ByteVector b2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + c, LITTLE_ENDIAN);
                    s2 = ((FloatVector) b2.convertShape(B2F, F, p)).fma(v, s2);
                    ByteVector b3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + c, LITTLE_ENDIAN);
                    s3 = ((FloatVector) b3.convertShape(B2F, F, p)).fma(v, s3);
                }
                t0 = s0.fma(FloatVector.broadcast(F, scales[r0 * perRow + g]), t0);
                t1 = s1.fma(FloatVector.broadcast(F, scales[r1 * perRow + g]), t1);
                t2 = s2.fma(FloatVector.broadcast(F, scales[r2 * perRow + g]), t2);
                t3 = s3.fma(FloatVector.broadcast(F, scales[r3 * perRow + g]), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    private void unsigned(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        int perRow = columns / group;
        long a = RowVectors.address(w, (long) rows * columns);
        long a0 = a + (long) r0 * columns;
        long a1 = a + (long) r1 * columns;
        long a2 = a + (long) r2 * columns;
        long a3 = a + (long) r3 * columns;
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.zero(F);
            FloatVector t1 = t0;
            FloatVector t2 = t0;
            FloatVector t3 = t0;
            for (int g = 0; g < perRow; g++) {
                FloatVector s0 = FloatVector.zero(F);
                FloatVector s1 = s0;
                FloatVector s2 = s0;
                FloatVector s3 = s0;
                for (int c = g * group; c < (g + 1) * group; c += LANES) {
                    FloatVector v = FloatVector.fromArray(F, x, c + p * WIDTH);
                    ByteVector b0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + c, LITTLE_ENDIAN);
                    IntVector i0 = (IntVector) b0.convertShape(ZERO_EXTEND_B2I, I, p);
                    s0 = ((FloatVector) i0.convertShape(I2F, F, 0)).fma(v, s0);
                    ByteVector b1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + c, LITTLE_ENDIAN);
                    IntVector i1 = (IntVector) b1.convertShape(ZERO_EXTEND_B2I, I, p);
                    s1 = ((FloatVector) i1.convertShape(I2F, F, 0)).fma(v, s1);
                    ByteVector b2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + c, LITTLE_ENDIAN);
                    IntVector i2 = (IntVector) b2.convertShape(ZERO_EXTEND_B2I, I, p);
                    s2 = ((FloatVector) i2.convertShape(I2F, F, 0)).fma(v, s2);
                    ByteVector b3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + c, LITTLE_ENDIAN);
                    IntVector i3 = (IntVector) b3.convertShape(ZERO_EXTEND_B2I, I, p);
                    s3 = ((FloatVector) i3.convertShape(I2F, F, 0)).fma(v, s3);
                }
                t0 = s0.fma(FloatVector.broadcast(F, scales[r0 * perRow + g]), t0);
                t1 = s1.fma(FloatVector.broadcast(F, scales[r1 * perRow + g]), t1);
                t2 = s2.fma(FloatVector.broadcast(F, scales[r2 * perRow + g]), t2);
                t3 = s3.fma(FloatVector.broadcast(F, scales[r3 * perRow + g]), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }
}
