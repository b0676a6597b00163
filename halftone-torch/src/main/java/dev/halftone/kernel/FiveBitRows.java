package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.MEMORY;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.ByteVector.SPECIES_64;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import dev.halftone.format.gguf.GgmlType;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Rows of a GGUF file's blocks of 32 weights in 5 bits: Q5_0 and Q5_1.
///
/// A block begins as one of Q4_0 or Q4_1 does ([BlockRows]); then come the fifth bits of its 32 codes in one integer,
/// and
/// the lower four as there. The fifth bits are converted where they stand, bit `i` as the number `2^i`, and meet
/// activations that are `16 / 2^i` of themselves: exactly what 16 times the activation is.
record FiveBitRows(GgmlType type, MemorySegment w, int rows, int columns) implements FourRows {
    private static final int BLOCK = 32;
    private static final int[] BITS = new int[BLOCK];

    static {
        Arrays.setAll(BITS, i -> 1 << i);
    }

    static boolean reads(GgmlType type) {
        return type == GgmlType.Q5_0 || type == GgmlType.Q5_1;
    }

    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        float[] both = Arrays.copyOf(x, 2 * columns);
        for (int c = 0; c < columns; c++) {
            // The last bit, as an int, is negative.
            both[columns + c] = x[c] * 16 / BITS[c % BLOCK];
        }
        FourRows.super.multiply(both, y, from, to);
    }

    /// @param x the activations, and behind them those for the fifth bits
    @Override
    public void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        int bytes = type.blockBytes();
        long row = (long) columns / BLOCK * bytes;
        long a = RowVectors.address(w, rows * row);
        long a0 = a + r0 * row;
        long a1 = a + r1 * row;
        long a2 = a + r2 * row;
        long a3 = a + r3 * row;
        // Where a block's minimum stands: without one, it is the scale times -16.
        boolean minimum = type == GgmlType.Q5_1;
        int fifths = minimum ? 4 : 2;
        int codes = fifths + 4;
        for (int p = 0; p < PARTS; p++) {
            IntVector m0 = IntVector.fromArray(I, BITS, p * WIDTH);
            IntVector m1 = IntVector.fromArray(I, BITS, p * WIDTH + 8);
            IntVector m2 = IntVector.fromArray(I, BITS, p * WIDTH + 16);
            IntVector m3 = IntVector.fromArray(I, BITS, p * WIDTH + 24);
            FloatVector t0 = FloatVector.zero(F);
            FloatVector t1 = t0;
            FloatVector t2 = t0;
            FloatVector t3 = t0;
            long at = 0;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += bytes) {
                FloatVector x0 = FloatVector.fromArray(F, x, c);
                FloatVector x1 = FloatVector.fromArray(F, x, c + 8);
                FloatVector x2 = FloatVector.fromArray(F, x, c + 16);
                FloatVector x3 = FloatVector.fromArray(F, x, c + 24);
                FloatVector h0 = FloatVector.fromArray(F, x, columns + c);
                FloatVector h1 = FloatVector.fromArray(F, x, columns + c + 8);
                FloatVector h2 = FloatVector.fromArray(F, x, columns + c + 16);
                FloatVector h3 = FloatVector.fromArray(F, x, columns + c + 24);
                FloatVector all = x0.add(x1).add(x2.add(x3));

                ByteVector u0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + codes, LITTLE_ENDIAN);
                ByteVector v0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + codes + 8, LITTLE_ENDIAN);
                IntVector i0 = (IntVector) u0.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j0 = (IntVector) v0.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector q0 = IntVector.broadcast(I, MEMORY.get(JAVA_INT_UNALIGNED, a0 + at + fifths));
                FloatVector s0 = ((FloatVector) i0.and(15).convertShape(I2F, F, 0)).mul(x0);
                s0 = ((FloatVector) j0.and(15).convertShape(I2F, F, 0)).fma(x1, s0);
                s0 = ((FloatVector) i0.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s0);
                s0 = ((FloatVector) j0.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s0);
                s0 = ((FloatVector) q0.and(m0).convertShape(I2F, F, 0)).fma(h0, s0);
                s0 = ((FloatVector) q0.and(m1).convertShape(I2F, F, 0)).fma(h1, s0);
                s0 = ((FloatVector) q0.and(m2).convertShape(I2F, F, 0)).fma(h2, s0);
                s0 = ((FloatVector) q0.and(m3).convertShape(I2F, F, 0)).fma(h3, s0);
                float d0 = Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a0 + at));
                float e0 = minimum ? Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a0 + at + 2)) : -16 * d0;
                t0 = s0.fma(FloatVector.broadcast(F, d0), t0);
                t0 = all.fma(FloatVector.broadcast(F, e0), t0);

                ByteVector u1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + codes, LITTLE_ENDIAN);
                ByteVector v1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + codes + 8, LITTLE_ENDIAN);
                IntVector i1 = (IntVector) u1.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j1 = (IntVector) v1.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector q1 = IntVector.broadcast(I, MEMORY.get(JAVA_INT_UNALIGNED, a1 + at + fifths));
                FloatVector s1 = ((FloatVector) i1.and(15).convertShape(I2F, F, 0)).mul(x0);
                s1 = ((FloatVector) j1.and(15).convertShape(I2F, F, 0)).fma(x1, s1);
                s1 = ((FloatVector) i1.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s1);
                s1 = ((FloatVector) j1.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s1);
                s1 = ((FloatVector) q1.and(m0).convertShape(I2F, F, 0)).fma(h0, s1);
                s1 = ((FloatVector) q1.and(m1).convertShape(I2F, F, 0)).fma(h1, s1);
                s1 = ((FloatVector) q1.and(m2).convertShape(I2F, F, 0)).fma(h2, s1);
                s1 = ((FloatVector) q1.and(m3).convertShape(I2F, F, 0)).fma(h3, s1);
                float d1 = Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a1 + at));
                float e1 = minimum ? Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a1 + at + 2)) : -16 * d1;
                t1 = s1.fma(FloatVector.broadcast(F, d1), t1);
                t1 = all.fma(FloatVector.broadcast(F, e1), t1);

                ByteVector u2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + codes, LITTLE_ENDIAN);
                ByteVector v2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + codes + 8, LITTLE_ENDIAN);
                IntVector i2 = (IntVector) u2.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j2 = (IntVector) v2.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector q2 = IntVector.broadcast(I, MEMORY.get(JAVA_INT_UNALIGNED, a2 + at + fifths));
                FloatVector s2 = ((FloatVector) i2.and(15).convertShape(I2F, F, 0)).mul(x0);
                s2 = ((FloatVector) j2.and(15).convertShape(I2F, F, 0)).fma(x1, s2);
                s2 = ((FloatVector) i2.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s2);
                s2 = ((FloatVector) j2.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s2);
                s2 = ((FloatVector) q2.and(m0).convertShape(I2F, F, 0)).fma(h0, s2);
                s2 = ((FloatVector) q2.and(m1).convertShape(I2F, F, 0)).fma(h1, s2);
                s2 = ((FloatVector) q2.and(m2).convertShape(I2F, F, 0)).fma(h2, s2);
                s2 = ((FloatVector) q2.and(m3).convertShape(I2F, F, 0)).fma(h3, s2);
                float d2 = Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a2 + at));
                float e2 = minimum ? Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a2 + at + 2)) : -16 * d2;
                t2 = s2.fma(FloatVector.broadcast(F, d2), t2);
                t2 = all.fma(FloatVector.broadcast(F, e2), t2);

                ByteVector u3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + codes, LITTLE_ENDIAN);
                ByteVector v3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + codes + 8, LITTLE_ENDIAN);
                IntVector i3 = (IntVector) u3.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j3 = (IntVector) v3.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector q3 = IntVector.broadcast(I, MEMORY.get(JAVA_INT_UNALIGNED, a3 + at + fifths));
                FloatVector s3 = ((FloatVector) i3.and(15).convertShape(I2F, F, 0)).mul(x0);
                s3 = ((FloatVector) j3.and(15).convertShape(I2F, F, 0)).fma(x1, s3);
                s3 = ((FloatVector) i3.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s3);
                s3 = ((FloatVector) j3.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s3);
                s3 = ((FloatVector) q3.and(m0).convertShape(I2F, F, 0)).fma(h0, s3);
                s3 = ((FloatVector) q3.and(m1).convertShape(I2F, F, 0)).fma(h1, s3);
                s3 = ((FloatVector) q3.and(m2).convertShape(I2F, F, 0)).fma(h2, s3);
                s3 = ((FloatVector) q3.and(m3).convertShape(I2F, F, 0)).fma(h3, s3);
                float d3 = Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a3 + at));
                float e3 = minimum ? Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a3 + at + 2)) : -16 * d3;
                t3 = s3.fma(FloatVector.broadcast(F, d3), t3);
                t3 = all.fma(FloatVector.broadcast(F, e3), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }
}
