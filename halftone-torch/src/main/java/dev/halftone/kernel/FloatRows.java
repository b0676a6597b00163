package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;

import dev.halftone.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/// Rows of float32 or bfloat16.
///
/// Four sums of eight lanes take turns, so that one addition need not wait for the one before.
record FloatRows(MemorySegment w, DType dtype, int rows, int columns) implements RowMatrix {
    private static final VectorSpecies<Short> HALVES =
            WIDTH == LANES ? ShortVector.SPECIES_128 : ShortVector.SPECIES_64;
    private static final int STEP = 4 * LANES;

    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        float[] lanes = new float[LANES];
        boolean halves = dtype == DType.BF16;
        for (int r = from; r < to; r++) {
            long at = (long) r * columns;
            for (int p = 0; p < PARTS; p++) {
                (halves ? halves(x, at, p) : floats(x, at, p)).intoArray(lanes, p * WIDTH);
            }
            for (int i = columns - columns % LANES; i < columns; i++) {
                lanes[i % LANES] = Math.fma(element(at + i), x[i], lanes[i % LANES]);
            }
            y[r] = RowVectors.sum(lanes);
        }
    }

    private FloatVector floats(float[] x, long at, int p) {
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int c = p * WIDTH;
        for (; c < columns - columns % STEP; c += STEP) {
            s0 = floats(at + c).fma(FloatVector.fromArray(F, x, c), s0);
            s1 = floats(at + c + 8).fma(FloatVector.fromArray(F, x, c + 8), s1);
            s2 = floats(at + c + 16).fma(FloatVector.fromArray(F, x, c + 16), s2);
            s3 = floats(at + c + 24).fma(FloatVector.fromArray(F, x, c + 24), s3);
        }
        for (; c < columns - columns % LANES; c += LANES) {
            s0 = floats(at + c).fma(FloatVector.fromArray(F, x, c), s0);
        }
        return s0.add(s1).add(s2.add(s3));
    }

    private FloatVector halves(float[] x, long at, int p) {
        FloatVector s0 = FloatVector.zero(F);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int c = p * WIDTH;
        for (; c < columns - columns % STEP; c += STEP) {
            s0 = halves(at + c).fma(FloatVector.fromArray(F, x, c), s0);
            s1 = halves(at + c + 8).fma(FloatVector.fromArray(F, x, c + 8), s1);
            s2 = halves(at + c + 16).fma(FloatVector.fromArray(F, x, c + 16), s2);
            s3 = halves(at + c + 24).fma(FloatVector.fromArray(F, x, c + 24), s3);
        }
        for (; c < columns - columns % LANES; c += LANES) {
            s0 = halves(at + c).fma(FloatVector.fromArray(F, x, c), s0);
        }
        return s0.add(s1).add(s2.add(s3));
    }

    private FloatVector floats(long index) {
        return FloatVector.fromMemorySegment(F, w, index * Float.BYTES, ByteOrder.nativeOrder());
    }

    private FloatVector halves(long index) {
        ShortVector s = ShortVector.fromMemorySegment(HALVES, w, index * Short.BYTES, ByteOrder.nativeOrder());
        IntVector bits = (IntVector) s.convertShape(VectorOperators.ZERO_EXTEND_S2I, I, 0);
        return bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    private float element(long index) {
        return dtype == DType.F32
                ? w.get(ValueLayout.JAVA_FLOAT_UNALIGNED, index * Float.BYTES)
                : Float.intBitsToFloat(w.get(ValueLayout.JAVA_SHORT_UNALIGNED, index * Short.BYTES) << 16);
    }
}
