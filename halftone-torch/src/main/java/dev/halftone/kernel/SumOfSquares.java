package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/// The sum of the squares of a tensor, for its L2 norm, in one pass over memory.
///
/// Tiles of values are summed in float32 ([Tiles#dot]), and their sums in double precision in a fixed order: the same
/// bits on every processor and for any number of threads.
public final class SumOfSquares {
    private static final int TILE = 2048;
    /// Tiles that stay on one thread.
    private static final int CHUNK = 16;

    private SumOfSquares() {}

    /// @param t of any float dtype and shape; NaN where it holds one
    public static double of(Tensor t) {
        if (Kernels.choose(t).kernels() != Kernels.VECTOR) {
            double norm = Torch.floats(Ops.norm(t, DType.F32))[0];
            return norm * norm;
        }
        Tensor dense = t.contiguous();
        DType dtype = Torch.dtype(t);
        long n = t.numel();
        MemorySegment values = Torch.memory(dense);
        double[] parts = new double[Math.toIntExact((n + (long) CHUNK * TILE - 1) / ((long) CHUNK * TILE))];
        Parallel.run(parts.length, CHUNK * TILE, (first, last) -> {
            float[] tile = new float[TILE];
            for (int part = first; part < last; part++) {
                long from = (long) part * CHUNK * TILE;
                long to = Math.min(n, from + (long) CHUNK * TILE);
                for (long i = from; i < to; i += TILE) {
                    int count = (int) Math.min(TILE, to - i);
                    Tiles.load(values, i, tile, count, dtype);
                    parts[part] += Tiles.dot(tile, tile, count);
                }
            }
        });
        Reference.reachabilityFence(dense);
        return Arrays.stream(parts).sum();
    }
}
