package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.MEMORY;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_S2I;

import dev.halftone.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorSpecies;

/// Rows of float32 or bfloat16.
record FloatRows(MemorySegment w, DType dtype, int rows, int columns) implements FourRows {
    private static final VectorSpecies<Short> HALVES =
            WIDTH == LANES ? ShortVector.SPECIES_128 : ShortVector.SPECIES_64;

    @Override
    public void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        long row = (long) columns * dtype.bytes();
        long a = RowVectors.address(w, rows * row);
        long a0 = a + r0 * row;
        long a1 = a + r1 * row;
        long a2 = a + r2 * row;
        long a3 = a + r3 * row;
        if (dtype == DType.BF16) {
            halves(x, a0, a1, a2, a3, lanes);
        } else {
            floats(x, a0, a1, a2, a3, lanes);
        }
        for (int c = columns - columns % LANES; c < columns; c++) {
            int lane = c % LANES;
            lanes[lane] = Math.fma(element(a0 + (long) c * dtype.bytes()), x[c], lanes[lane]);
            lanes[lane + LANES] = Math.fma(element(a1 + (long) c * dtype.bytes()), x[c], lanes[lane + LANES]);
            lanes[lane + 2 * LANES] = Math.fma(element(a2 + (long) c * dtype.bytes()), x[c], lanes[lane + 2 * LANES]);
            lanes[lane + 3 * LANES] = Math.fma(element(a3 + (long) c * dtype.bytes()), x[c], lanes[lane + 3 * LANES]);
        }
    }

    private void floats(float[] x, long a0, long a1, long a2, long a3, float[] lanes) {
        for (int p = 0; p < PARTS; p++) {
            FloatVector s0 = FloatVector.zero(F);
            FloatVector s1 = s0;
            FloatVector s2 = s0;
            FloatVector s3 = s0;
            for (int c = p * WIDTH; c < columns - columns % LANES; c += LANES) {
                FloatVector v = FloatVector.fromArray(F, x, c);
                s0 = FloatVector.fromMemorySegment(F, MEMORY, a0 + (long) c * Float.BYTES, ByteOrder.nativeOrder())
                        .fma(v, s0);
                s1 = FloatVector.fromMemorySegment(F, MEMORY, a1 + (long) c * Float.BYTES, ByteOrder.nativeOrder())
                        .fma(v, s1);
                s2 = FloatVector.fromMemorySegment(F, MEMORY, a2 + (long) c * Float.BYTES, ByteOrder.nativeOrder())
                        .fma(v, s2);
                s3 = FloatVector.fromMemorySegment(F, MEMORY, a3 + (long) c * Float.BYTES, ByteOrder.nativeOrder())
                        .fma(v, s3);
            }
            s0.intoArray(lanes, 0 + p * WIDTH);
            s1.intoArray(lanes, 8 + p * WIDTH);
            s2.intoArray(lanes, 16 + p * WIDTH);
            s3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    private void halves(float[] x, long a0, long a1, long a2, long a3, float[] lanes) {
        for (int p = 0; p < PARTS; p++) {
            FloatVector s0 = FloatVector.zero(F);
            FloatVector s1 = s0;
            FloatVector s2 = s0;
            FloatVector s3 = s0;
            for (int c = p * WIDTH; c < columns - columns % LANES; c += LANES) {
                FloatVector v = FloatVector.fromArray(F, x, c);
                ShortVector h0 = ShortVector.fromMemorySegment(
                        HALVES, MEMORY, a0 + (long) c * Short.BYTES, ByteOrder.nativeOrder());
                IntVector b0 = (IntVector) h0.convertShape(ZERO_EXTEND_S2I, I, 0);
                s0 = b0.lanewise(LSHL, 16).reinterpretAsFloats().fma(v, s0);
                ShortVector h1 = ShortVector.fromMemorySegment(
                        HALVES, MEMORY, a1 + (long) c * Short.BYTES, ByteOrder.nativeOrder());
                IntVector b1 = (IntVector) h1.convertShape(ZERO_EXTEND_S2I, I, 0);
                s1 = b1.lanewise(LSHL, 16).reinterpretAsFloats().fma(v, s1);
                ShortVector h2 = ShortVector.fromMemorySegment(
                        HALVES, MEMORY, a2 + (long) c * Short.BYTES, ByteOrder.nativeOrder());
                IntVector b2 = (IntVector) h2.convertShape(ZERO_EXTEND_S2I, I, 0);
                s2 = b2.lanewise(LSHL, 16).reinterpretAsFloats().fma(v, s2);
                ShortVector h3 = ShortVector.fromMemorySegment(
                        HALVES, MEMORY, a3 + (long) c * Short.BYTES, ByteOrder.nativeOrder());
                IntVector b3 = (IntVector) h3.convertShape(ZERO_EXTEND_S2I, I, 0);
                s3 = b3.lanewise(LSHL, 16).reinterpretAsFloats().fma(v, s3);
            }
            s0.intoArray(lanes, 0 + p * WIDTH);
            s1.intoArray(lanes, 8 + p * WIDTH);
            s2.intoArray(lanes, 16 + p * WIDTH);
            s3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    /// Adds `Σ x[r] · row r` over all rows to `y`, from this index on.
    ///
    /// @param x `[N]`
    void combine(float[] x, float[] y, int yFrom) {
        int bytes = dtype.bytes();
        long row = (long) columns * bytes;
        long step = (long) WIDTH * bytes;
        long first = RowVectors.address(w, rows * row);
        int c = 0;
        for (; c <= columns - 4 * WIDTH; c += 4 * WIDTH) {
            FloatVector s0 = FloatVector.fromArray(F, y, yFrom + c);
            FloatVector s1 = FloatVector.fromArray(F, y, yFrom + c + WIDTH);
            FloatVector s2 = FloatVector.fromArray(F, y, yFrom + c + 2 * WIDTH);
            FloatVector s3 = FloatVector.fromArray(F, y, yFrom + c + 3 * WIDTH);
            long a = first + (long) c * bytes;
            for (int r = 0; r < rows; r++, a += row) {
                FloatVector v = FloatVector.broadcast(F, x[r]);
                s0 = load(a).fma(v, s0);
                s1 = load(a + step).fma(v, s1);
                s2 = load(a + 2 * step).fma(v, s2);
                s3 = load(a + 3 * step).fma(v, s3);
            }
            s0.intoArray(y, yFrom + c);
            s1.intoArray(y, yFrom + c + WIDTH);
            s2.intoArray(y, yFrom + c + 2 * WIDTH);
            s3.intoArray(y, yFrom + c + 3 * WIDTH);
        }
        for (; c <= columns - WIDTH; c += WIDTH) {
            FloatVector sum = FloatVector.fromArray(F, y, yFrom + c);
            long a = first + (long) c * bytes;
            for (int r = 0; r < rows; r++, a += row) {
                sum = load(a).fma(FloatVector.broadcast(F, x[r]), sum);
            }
            sum.intoArray(y, yFrom + c);
        }
        for (; c < columns; c++) {
            long a = first + (long) c * bytes;
            for (int r = 0; r < rows; r++, a += row) {
                y[yFrom + c] = Math.fma(x[r], element(a), y[yFrom + c]);
            }
        }
    }

    private FloatVector load(long address) {
        if (dtype == DType.F32) {
            return FloatVector.fromMemorySegment(F, MEMORY, address, ByteOrder.nativeOrder());
        }
        ShortVector halves = ShortVector.fromMemorySegment(HALVES, MEMORY, address, ByteOrder.nativeOrder());
        IntVector bits = (IntVector) halves.convertShape(ZERO_EXTEND_S2I, I, 0);
        return bits.lanewise(LSHL, 16).reinterpretAsFloats();
    }

    private float element(long address) {
        return dtype == DType.F32
                ? MEMORY.get(ValueLayout.JAVA_FLOAT_UNALIGNED, address)
                : Float.intBitsToFloat(MEMORY.get(ValueLayout.JAVA_SHORT_UNALIGNED, address) << 16);
    }
}
