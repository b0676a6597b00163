package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.I;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static dev.halftone.kernel.RowVectors.half;
import static dev.halftone.kernel.RowVectors.signed;
import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.ByteVector.SPECIES_64;
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
/// others
/// (`ggml-common.h`, `dequantize_row_*` in `ggml-quants.c`). What is added to every weight of a block is multiplied by
/// the sum of the block's activations.
record BlockRows(GgmlType type, MemorySegment w, int rows, int columns) implements RowMatrix {
    private static final int BLOCK = 32;

    static boolean reads(GgmlType type) {
        return type == GgmlType.Q8_0 || type == GgmlType.Q4_0 || type == GgmlType.Q4_1;
    }

    @Override
    public void multiply(float[] x, float[] y, int from, int to) {
        long rowBytes = (long) columns / BLOCK * type.blockBytes();
        if (type == GgmlType.Q8_0) {
            for (int r = from; r < to; r++) {
                y[r] = bytes(x, r * rowBytes);
            }
        } else {
            for (int r = from; r < to; r++) {
                y[r] = nibbles(x, r * rowBytes, type.blockBytes());
            }
            float[] sums = RowVectors.sums(x, BLOCK);
            for (int r = from; r < to; r++) {
                y[r] += type == GgmlType.Q4_0 ? eights(sums, r * rowBytes) : minima(sums, r * rowBytes);
            }
        }
    }

    private float bytes(float[] x, long row) {
        float[] lanes = new float[LANES];
        for (int p = 0; p < PARTS; p++) {
            FloatVector sum = FloatVector.zero(F);
            long at = row;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += 34) {
                FloatVector s = signed(w, at + 2, p).mul(FloatVector.fromArray(F, x, c));
                s = signed(w, at + 10, p).fma(FloatVector.fromArray(F, x, c + 8), s);
                s = signed(w, at + 18, p).fma(FloatVector.fromArray(F, x, c + 16), s);
                s = signed(w, at + 26, p).fma(FloatVector.fromArray(F, x, c + 24), s);
                sum = s.fma(FloatVector.broadcast(F, half(w, at)), sum);
            }
            sum.intoArray(lanes, p * WIDTH);
        }
        return RowVectors.sum(lanes);
    }

    /// The codes lie in the last sixteen bytes of a block.
    ///
    /// Written out, since the compiler stops inlining methods of ours, not the JDK's, after 8000 bytes of
    /// bytecode; and what is not inlined makes an object of every vector that it takes or gives.
    private float nibbles(float[] x, long row, int blockBytes) {
        float[] lanes = new float[LANES];
        for (int p = 0; p < PARTS; p++) {
            FloatVector sum = FloatVector.zero(F);
            long at = row;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += blockBytes) {
                float scale = half(w, at);
                ByteVector first = ByteVector.fromMemorySegment(SPECIES_64, w, at + blockBytes - 16, LITTLE_ENDIAN);
                ByteVector second = ByteVector.fromMemorySegment(SPECIES_64, w, at + blockBytes - 8, LITTLE_ENDIAN);
                IntVector low = (IntVector) first.convertShape(ZERO_EXTEND_B2I, I, p);
                IntVector high = (IntVector) second.convertShape(ZERO_EXTEND_B2I, I, p);
                FloatVector a = (FloatVector) low.and(15).convertShape(I2F, F, 0);
                FloatVector b = (FloatVector) high.and(15).convertShape(I2F, F, 0);
                FloatVector d = (FloatVector) low.lanewise(LSHR, 4).convertShape(I2F, F, 0);
                FloatVector e = (FloatVector) high.lanewise(LSHR, 4).convertShape(I2F, F, 0);
                FloatVector s = a.mul(FloatVector.fromArray(F, x, c));
                s = b.fma(FloatVector.fromArray(F, x, c + 8), s);
                s = d.fma(FloatVector.fromArray(F, x, c + 16), s);
                s = e.fma(FloatVector.fromArray(F, x, c + 24), s);
                sum = s.fma(FloatVector.broadcast(F, scale), sum);
            }
            sum.intoArray(lanes, p * WIDTH);
        }
        return RowVectors.sum(lanes);
    }

    /// Q4_0's codes stand for eight less.
    private float eights(float[] sums, long row) {
        float sum = 0;
        for (int b = 0; b < sums.length; b++) {
            sum += half(w, row + b * 18L) * sums[b];
        }
        return -8 * sum;
    }

    private float minima(float[] sums, long row) {
        float sum = 0;
        for (int b = 0; b < sums.length; b++) {
            sum += half(w, row + b * 20L + 2) * sums[b];
        }
        return sum;
    }
}
