package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/// What a layer does with a single row besides multiplying it: see [RowMatrix].
public final class RowOps {
    private RowOps() {}

    /// Writes the rows of a position into a cache, rounded to its dtype.
    ///
    /// @param cache_1GTD room for T positions, on the CPU
    /// @param row `[G · D]`
    public static void store(float[] row, Tensor cache_1GTD, int position) {
        int positions = size(cache_1GTD, 2);
        int d = size(cache_1GTD, 3);
        DType dtype = Torch.dtype(cache_1GTD);
        MemorySegment to = Torch.memory(cache_1GTD);
        float[] head = new float[d];
        for (int g = 0; g < row.length / d; g++) {
            for (int i = 0; i < d; i++) {
                head[i] = Rounding.round(row[g * d + i], dtype);
            }
            Tiles.store(head, d, to, ((long) g * positions + position) * d, dtype);
        }
    }

    /// `softmax(q · kᵀ · scale) · v` over the positions `from` to `to - 1` of a cache, in float32.
    ///
    /// @param q `[H · D]`; H is a multiple of G
    /// @param k_1GTD keys
    /// @param v_1GTD values
    /// @return `[H · D]`
    public static float[] attend(float[] q, Tensor k_1GTD, Tensor v_1GTD, int from, int to, float scale) {
        int d = size(k_1GTD, 3);
        int heads = q.length / d;
        int shared = heads / size(k_1GTD, 1);
        float[] out = new float[q.length];
        Parallel.run(heads, 2 * d * (to - from), (first, end) -> {
            float[] weights = new float[to - from];
            for (int h = first; h < end; h++) {
                float[] head = Arrays.copyOfRange(q, h * d, (h + 1) * d);
                for (int i = 0; i < d; i++) {
                    head[i] *= scale;
                }
                positions(k_1GTD, h / shared, from, to).multiply(head, weights, 0, weights.length);
                softmax(weights);
                positions(v_1GTD, h / shared, from, to).combine(weights, out, h * d);
            }
        });
        return out;
    }

    /// The rows `from` to `to - 1` of a group.
    private static FloatRows positions(Tensor cache_1GTD, int group, int from, int to) {
        int d = size(cache_1GTD, 3);
        DType dtype = Torch.dtype(cache_1GTD);
        long first = (long) group * size(cache_1GTD, 2) + from;
        MemorySegment rows =
                Torch.memory(cache_1GTD).asSlice(first * d * dtype.bytes(), (long) (to - from) * d * dtype.bytes());
        return new FloatRows(rows, dtype, to - from, d);
    }

    private static void softmax(float[] w) {
        float max = w[0];
        for (float v : w) {
            max = Math.max(max, v);
        }
        RowVectors.exp(w, max, w.length);
        float sum = 0;
        for (float v : w) {
            sum += v;
        }
        for (int i = 0; i < w.length; i++) {
            w[i] /= sum;
        }
    }

    /// `silu(gate) · up`, in place of `gate`.
    public static void gate(float[] gate, float[] up) {
        float[] e = new float[gate.length];
        for (int i = 0; i < e.length; i++) {
            e[i] = -gate[i];
        }
        RowVectors.exp(e, 0, e.length);
        for (int i = 0; i < e.length; i++) {
            gate[i] = gate[i] / (1 + e[i]) * up[i];
        }
    }

    /// `w · x / √(mean(x²) + eps)` for each stretch of `x` that is as long as `w`.
    public static float[] norm(float[] x, float[] w, double eps) {
        float[] y = new float[x.length];
        for (int first = 0; first < x.length; first += w.length) {
            float mean = RowVectors.dot(x, first, x, first, w.length) / w.length;
            float inverse = (float) (1 / Math.sqrt(mean + eps));
            for (int i = 0; i < w.length; i++) {
                y[first + i] = w[i] * (x[first + i] * inverse);
            }
        }
        return y;
    }

    /// `a + b`.
    public static float[] add(float[] a, float[] b) {
        float[] y = new float[a.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = a[i] + b[i];
        }
        return y;
    }

    private static int size(Tensor t, int dimension) {
        return Math.toIntExact(t.size(dimension));
    }
}
