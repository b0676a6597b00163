package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.MEMORY;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.ByteVector.SPECIES_64;
import static jdk.incubator.vector.VectorOperators.B2F;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LSHR;
import static jdk.incubator.vector.VectorOperators.ZERO_EXTEND_B2I;

import dev.halftone.format.gguf.GgmlType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Rows of a GGUF file's blocks of 32 weights: Q8_0, Q4_0 and Q4_1.
///
/// A block begins with its scale in float16, in Q4_1 followed by its minimum. Then come the codes: a signed byte
/// each, or two in a byte, of which the lower four bits belong to the first sixteen weights and the upper four to the
/// others (`ggml-common.h`, `dequantize_row_*` in `ggml-quants.c`). What is added to every weight of a block, Q4_1's
/// minimum and the eight that Q4_0's codes stand for less, is multiplied by the sum of the block's activations: four
/// rows share it.
record BlockRows(GgmlType type, MemorySegment w, int rows, int columns) implements FourRows {
    private static final int BLOCK = 32;

    static boolean reads(GgmlType type) {
        return type == GgmlType.Q8_0 || type == GgmlType.Q4_0 || type == GgmlType.Q4_1;
    }

    @Override
    public void four(float[] x, int r0, int r1, int r2, int r3, float[] lanes) {
        long bytes = (long) columns / BLOCK * type.blockBytes();
        long a = RowVectors.address(w, rows * bytes);
        switch (type) {
            case Q4_0 -> q4x0(x, a + r0 * bytes, a + r1 * bytes, a + r2 * bytes, a + r3 * bytes, lanes);
            case Q4_1 -> q4x1(x, a + r0 * bytes, a + r1 * bytes, a + r2 * bytes, a + r3 * bytes, lanes);
            default -> q8x0(x, a + r0 * bytes, a + r1 * bytes, a + r2 * bytes, a + r3 * bytes, lanes);
        }
    }

    private void q4x0(float[] x, long a0, long a1, long a2, long a3, float[] lanes) {
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.zero(F);
            FloatVector t1 = t0;
            FloatVector t2 = t0;
            FloatVector t3 = t0;
            long at = 0;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += 18) {
                FloatVector x0 = FloatVector.fromArray(F, x, c);
                FloatVector x1 = FloatVector.fromArray(F, x, c + 8);
                FloatVector x2 = FloatVector.fromArray(F, x, c + 16);
                FloatVector x3 = FloatVector.fromArray(F, x, c + 24);
                FloatVector eights = x0.add(x1).add(x2.add(x3)).mul(-8);

                ByteVector u0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 2, LITTLE_ENDIAN);
                ByteVector v0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 10, LITTLE_ENDIAN);
                IntVector i0 = (IntVector) u0.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j0 = (IntVector) v0.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s0 = ((FloatVector) i0.and(15).convertShape(I2F, F, 0)).fma(x0, eights);
                s0 = ((FloatVector) j0.and(15).convertShape(I2F, F, 0)).fma(x1, s0);
                s0 = ((FloatVector) i0.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s0);
                s0 = ((FloatVector) j0.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s0);
                t0 = s0.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a0 + at))), t0);

                ByteVector u1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 2, LITTLE_ENDIAN);
                ByteVector v1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 10, LITTLE_ENDIAN);
                IntVector i1 = (IntVector) u1.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j1 = (IntVector) v1.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s1 = ((FloatVector) i1.and(15).convertShape(I2F, F, 0)).fma(x0, eights);
                s1 = ((FloatVector) j1.and(15).convertShape(I2F, F, 0)).fma(x1, s1);
                s1 = ((FloatVector) i1.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s1);
                s1 = ((FloatVector) j1.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s1);
                t1 = s1.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a1 + at))), t1);

                ByteVector u2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 2, LITTLE_ENDIAN);
                ByteVector v2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 10, LITTLE_ENDIAN);
                IntVector i2 = (IntVector) u2.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j2 = (IntVector) v2.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s2 = ((FloatVector) i2.and(15).convertShape(I2F, F, 0)).fma(x0, eights);
                s2 = ((FloatVector) j2.and(15).convertShape(I2F, F, 0)).fma(x1, s2);
                s2 = ((FloatVector) i2.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s2);
                s2 = ((FloatVector) j2.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s2);
                t2 = s2.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a2 + at))), t2);

                ByteVector u3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 2, LITTLE_ENDIAN);
                ByteVector v3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 10, LITTLE_ENDIAN);
                IntVector i3 = (IntVector) u3.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j3 = (IntVector) v3.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s3 = ((FloatVector) i3.and(15).convertShape(I2F, F, 0)).fma(x0, eights);
                s3 = ((FloatVector) j3.and(15).convertShape(I2F, F, 0)).fma(x1, s3);
                s3 = ((FloatVector) i3.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s3);
                s3 = ((FloatVector) j3.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s3);
                t3 = s3.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a3 + at))), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    private void q4x1(float[] x, long a0, long a1, long a2, long a3, float[] lanes) {
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.zero(F);
            FloatVector t1 = t0;
            FloatVector t2 = t0;
            FloatVector t3 = t0;
            long at = 0;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += 20) {
                FloatVector x0 = FloatVector.fromArray(F, x, c);
                FloatVector x1 = FloatVector.fromArray(F, x, c + 8);
                FloatVector x2 = FloatVector.fromArray(F, x, c + 16);
                FloatVector x3 = FloatVector.fromArray(F, x, c + 24);
                FloatVector all = x0.add(x1).add(x2.add(x3));

                ByteVector u0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 4, LITTLE_ENDIAN);
                ByteVector v0 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 12, LITTLE_ENDIAN);
                IntVector i0 = (IntVector) u0.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j0 = (IntVector) v0.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s0 = ((FloatVector) i0.and(15).convertShape(I2F, F, 0)).mul(x0);
                s0 = ((FloatVector) j0.and(15).convertShape(I2F, F, 0)).fma(x1, s0);
                s0 = ((FloatVector) i0.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s0);
                s0 = ((FloatVector) j0.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s0);
                t0 = s0.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a0 + at))), t0);
                t0 = all.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a0 + at + 2))),
                        t0);

                ByteVector u1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 4, LITTLE_ENDIAN);
                ByteVector v1 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 12, LITTLE_ENDIAN);
                IntVector i1 = (IntVector) u1.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j1 = (IntVector) v1.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s1 = ((FloatVector) i1.and(15).convertShape(I2F, F, 0)).mul(x0);
                s1 = ((FloatVector) j1.and(15).convertShape(I2F, F, 0)).fma(x1, s1);
                s1 = ((FloatVector) i1.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s1);
                s1 = ((FloatVector) j1.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s1);
                t1 = s1.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a1 + at))), t1);
                t1 = all.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a1 + at + 2))),
                        t1);

                ByteVector u2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 4, LITTLE_ENDIAN);
                ByteVector v2 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 12, LITTLE_ENDIAN);
                IntVector i2 = (IntVector) u2.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j2 = (IntVector) v2.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s2 = ((FloatVector) i2.and(15).convertShape(I2F, F, 0)).mul(x0);
                s2 = ((FloatVector) j2.and(15).convertShape(I2F, F, 0)).fma(x1, s2);
                s2 = ((FloatVector) i2.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s2);
                s2 = ((FloatVector) j2.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s2);
                t2 = s2.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a2 + at))), t2);
                t2 = all.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a2 + at + 2))),
                        t2);

                ByteVector u3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 4, LITTLE_ENDIAN);
                ByteVector v3 = ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 12, LITTLE_ENDIAN);
                IntVector i3 = (IntVector) u3.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector j3 = (IntVector) v3.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector s3 = ((FloatVector) i3.and(15).convertShape(I2F, F, 0)).mul(x0);
                s3 = ((FloatVector) j3.and(15).convertShape(I2F, F, 0)).fma(x1, s3);
                s3 = ((FloatVector) i3.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x2, s3);
                s3 = ((FloatVector) j3.lanewise(LSHR, 4).convertShape(I2F, F, 0)).fma(x3, s3);
                t3 = s3.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a3 + at))), t3);
                t3 = all.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a3 + at + 2))),
                        t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }

    private void q8x0(float[] x, long a0, long a1, long a2, long a3, float[] lanes) {
        for (int p = 0; p < PARTS; p++) {
            FloatVector t0 = FloatVector.zero(F);
            FloatVector t1 = t0;
            FloatVector t2 = t0;
            FloatVector t3 = t0;
            long at = 0;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += 34) {
                FloatVector x0 = FloatVector.fromArray(F, x, c);
                FloatVector x1 = FloatVector.fromArray(F, x, c + 8);
                FloatVector x2 = FloatVector.fromArray(F, x, c + 16);
                FloatVector x3 = FloatVector.fromArray(F, x, c + 24);

                FloatVector s0 = ((FloatVector)
                                ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 2, LITTLE_ENDIAN)
                                        .convertShape(B2F, F, p))
                        .mul(x0);
                s0 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 10, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x1, s0);
                s0 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 18, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x2, s0);
                s0 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a0 + at + 26, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x3, s0);
                t0 = s0.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a0 + at))), t0);

                FloatVector s1 = ((FloatVector)
                                ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 2, LITTLE_ENDIAN)
                                        .convertShape(B2F, F, p))
                        .mul(x0);
                s1 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 10, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x1, s1);
                s1 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 18, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x2, s1);
                s1 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a1 + at + 26, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x3, s1);
                t1 = s1.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a1 + at))), t1);

                FloatVector s2 = ((FloatVector)
                                ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 2, LITTLE_ENDIAN)
                                        .convertShape(B2F, F, p))
                        .mul(x0);
                s2 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 10, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x1, s2);
                s2 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 18, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x2, s2);
                s2 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a2 + at + 26, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x3, s2);
                t2 = s2.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a2 + at))), t2);

                FloatVector s3 = ((FloatVector)
                                ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 2, LITTLE_ENDIAN)
                                        .convertShape(B2F, F, p))
                        .mul(x0);
                s3 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 10, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x1, s3);
                s3 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 18, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x2, s3);
                s3 = ((FloatVector) ByteVector.fromMemorySegment(SPECIES_64, MEMORY, a3 + at + 26, LITTLE_ENDIAN)
                                .convertShape(B2F, F, p))
                        .fma(x3, s3);
                t3 = s3.fma(
                        FloatVector.broadcast(F, Float.float16ToFloat(MEMORY.get(JAVA_SHORT_UNALIGNED, a3 + at))), t3);
            }
            t0.intoArray(lanes, 0 + p * WIDTH);
            t1.intoArray(lanes, 8 + p * WIDTH);
            t2.intoArray(lanes, 16 + p * WIDTH);
            t3.intoArray(lanes, 24 + p * WIDTH);
        }
    }
}
