package dev.halftone.kernel;

import static dev.halftone.kernel.RowVectors.F;
import static dev.halftone.kernel.RowVectors.LANES;
import static dev.halftone.kernel.RowVectors.PARTS;
import static dev.halftone.kernel.RowVectors.WIDTH;
import static dev.halftone.kernel.RowVectors.floats;
import static dev.halftone.kernel.RowVectors.half;
import static dev.halftone.kernel.RowVectors.signed;
import static dev.halftone.kernel.RowVectors.unsigned;
import static jdk.incubator.vector.VectorOperators.LSHR;

import dev.halftone.format.gguf.GgmlType;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// Rows of a GGUF file's blocks of 32 weights: Q8_0, Q4_0 and Q4_1.
///
/// A block begins with its scale in float16, in Q4_1 followed by its minimum. Then come the codes: a signed byte each,
/// or
/// two in a byte, of which the lower four bits belong to the first sixteen weights and the upper four to the others
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
            float[] sums = RowVectors.sums(x, BLOCK);
            for (int r = from; r < to; r++) {
                float offsets = type == GgmlType.Q4_0 ? eights(sums, r * rowBytes) : minima(sums, r * rowBytes);
                y[r] = nibbles(x, r * rowBytes, type.blockBytes()) + offsets;
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
    private float nibbles(float[] x, long row, int blockBytes) {
        float[] lanes = new float[LANES];
        for (int p = 0; p < PARTS; p++) {
            FloatVector sum = FloatVector.zero(F);
            long at = row;
            for (int c = p * WIDTH; c < columns; c += BLOCK, at += blockBytes) {
                IntVector low = unsigned(w, at + blockBytes - 16, p);
                IntVector high = unsigned(w, at + blockBytes - 8, p);
                FloatVector s = floats(low.and(15)).mul(FloatVector.fromArray(F, x, c));
                s = floats(high.and(15)).fma(FloatVector.fromArray(F, x, c + 8), s);
                s = floats(low.lanewise(LSHR, 4)).fma(FloatVector.fromArray(F, x, c + 16), s);
                s = floats(high.lanewise(LSHR, 4)).fma(FloatVector.fromArray(F, x, c + 24), s);
                sum = s.fma(FloatVector.broadcast(F, half(w, at)), sum);
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
