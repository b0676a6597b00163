package dev.halftone.kernel;

import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.MAX;

import dev.halftone.DType;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.function.IntFunction;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;

/// The softmax of attention and its gradient, in place, over rows of scores in bfloat16 of which each sees a part. In
/// float32, and rounded once; the same bits for every vector width.
final class AttentionRows {
    private AttentionRows() {}

    /// Columns `from` to `to - 1`.
    record Visible(int from, int to) {}

    /// Scores become weights: those of a row add up to 1, and are 0 where it does not see. NaN makes NaN.
    ///
    /// @param scores `[…, T]`, dense
    /// @return for each row what [#gradient] finds the same weights with: the largest score, and one over the sum
    ///     of the exponentials
    static float[] softmax(Tensor scores, float scale, IntFunction<Visible> visible) {
        int width = Math.toIntExact(scores.size(-1));
        int rows = Math.toIntExact(scores.numel() / width);
        MemorySegment memory = Torch.memory(scores);
        float[] statistics = new float[2 * rows];
        Parallel.run(rows, width, (first, last) -> {
            float[] x = new float[width];
            for (int row = first; row < last; row++) {
                Visible seen = visible.apply(row);
                softmax(memory, (long) row * width + seen.from, x, seen.to - seen.from, scale, statistics, row);
                hide(memory, row, seen, width);
            }
        });
        Reference.reachabilityFence(scores);
        return statistics;
    }

    /// Scores become weights again, and gradients of weights those of scores: `w · (d - Σ w · d) · scale`.
    ///
    /// @param scores `[…, T]`, dense
    /// @param d of the same shape, dense
    /// @param statistics of [#softmax]
    static void gradient(Tensor scores, Tensor d, float scale, float[] statistics, IntFunction<Visible> visible) {
        int width = Math.toIntExact(scores.size(-1));
        int rows = Math.toIntExact(scores.numel() / width);
        MemorySegment memory = Torch.memory(scores);
        MemorySegment gradients = Torch.memory(d);
        Parallel.run(rows, 2 * width, (first, last) -> {
            float[] w = new float[width];
            float[] g = new float[width];
            for (int row = first; row < last; row++) {
                Visible seen = visible.apply(row);
                long at = (long) row * width + seen.from;
                gradient(memory, gradients, at, w, g, seen.to - seen.from, scale, statistics, row);
                hide(memory, row, seen, width);
                hide(gradients, row, seen, width);
            }
        });
        Reference.reachabilityFence(scores);
        Reference.reachabilityFence(d);
    }

    /// What a row sees, `count` values from the value `at` on.
    ///
    /// @param x room for them
    static void softmax(MemorySegment scores, long at, float[] x, int count, float scale, float[] statistics, int row) {
        float max = max(scores, at, count);
        exponentials(scores, at, x, count, max, scale);
        float share = (float) (1 / Tiles.sum(x, count));
        weights(x, count, share, scores, at);
        statistics[2 * row] = max;
        statistics[2 * row + 1] = share;
    }

    static void gradient(
            MemorySegment scores,
            MemorySegment d,
            long at,
            float[] w,
            float[] g,
            int count,
            float scale,
            float[] statistics,
            int row) {
        exponentials(scores, at, w, count, statistics[2 * row], scale);
        weights(w, count, statistics[2 * row + 1], scores, at);
        Tiles.load(d, at, g, count, DType.BF16);
        gradients(w, g, count, (float) Tiles.dot(w, g, count), scale, d, at);
    }

    private static void hide(MemorySegment memory, int row, Visible seen, int width) {
        zero(memory, (long) row * width, seen.from);
        zero(memory, (long) row * width + seen.to, width - seen.to);
    }

    private static void zero(MemorySegment memory, long at, int count) {
        memory.asSlice(at * Short.BYTES, (long) count * Short.BYTES).fill((byte) 0);
    }

    /// The largest of some values, not all NaN; any number or NaN where one is.
    private static float max(MemorySegment memory, long at, int count) {
        FloatVector max = FloatVector.broadcast(Tiles.F, Float.NEGATIVE_INFINITY);
        int i = 0;
        for (; i <= count - Tiles.LANES; i += Tiles.LANES) {
            FloatVector v = Tiles.bf16(memory, at + i);
            max = max.blend(v, v.compare(GT, max));
        }
        float largest = max.reduceLanes(MAX);
        for (; i < count; i++) {
            largest = Math.max(largest, Tiles.bf16At(memory, at + i));
        }
        return largest;
    }

    /// `e^((x - max) · scale)`
    private static void exponentials(MemorySegment memory, long at, float[] x, int count, float max, float scale) {
        int i = 0;
        for (; i <= count - Tiles.LANES; i += Tiles.LANES) {
            Exponential.of(Tiles.bf16(memory, at + i).sub(max).mul(scale)).intoArray(x, i);
        }
        for (; i < count; i++) {
            x[i] = Exponential.of((Tiles.bf16At(memory, at + i) - max) * scale);
        }
    }

    /// Scales and rounds exponentials, in the array and into memory.
    private static void weights(float[] x, int count, float share, MemorySegment memory, long at) {
        int i = 0;
        for (; i <= count - Tiles.LANES; i += Tiles.LANES) {
            FloatVector w = Tiles.round(FloatVector.fromArray(Tiles.F, x, i).mul(share), DType.BF16);
            w.intoArray(x, i);
            Tiles.storeBf16(w, memory, at + i);
        }
        for (; i < count; i++) {
            x[i] = Rounding.round(x[i] * share, DType.BF16);
            Tiles.setBf16(memory, at + i, x[i]);
        }
    }

    private static void gradients(
            float[] w, float[] g, int count, float mean, float scale, MemorySegment memory, long at) {
        int i = 0;
        for (; i <= count - Tiles.LANES; i += Tiles.LANES) {
            FloatVector d = FloatVector.fromArray(Tiles.F, g, i).sub(mean);
            d = d.mul(FloatVector.fromArray(Tiles.F, w, i)).mul(scale);
            Tiles.storeBf16(Tiles.round(d, DType.BF16), memory, at + i);
        }
        for (; i < count; i++) {
            Tiles.setBf16(memory, at + i, Rounding.round((g[i] - mean) * w[i] * scale, DType.BF16));
        }
    }
}
