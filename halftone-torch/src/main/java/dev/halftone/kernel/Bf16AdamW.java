package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.Tensor;

/// AdamW on bfloat16 weights and moments as `torch.optim.AdamW` computes it by default: a sequence of operators, each
/// of which widens its inputs, computes in float32 and rounds its result to the nearest bfloat16.
///
/// libtorch runs the sequence as eight passes over memory, this kernel as one, to the same bits.
public final class Bf16AdamW {
    /// Scalars of one step.
    ///
    /// @param factor of the gradients
    /// @param decay 1 - lr · weight_decay
    /// @param meanShare 1 - β1
    /// @param squareDecay β2
    /// @param squareShare 1 - β2
    /// @param root √(1 - β2^t)
    /// @param rate lr / (1 - β1^t)
    public record Coefficients(
            float factor,
            double decay,
            double meanShare,
            double squareDecay,
            double squareShare,
            double root,
            double eps,
            double rate) {}

    /// Elements whose 32 KB stay in the first-level cache.
    private static final int TILE = 2048;

    private Bf16AdamW() {}

    /// Updates p, m and v in place. All four are bfloat16 and of one shape.
    public static void update(Tensor p, Tensor g, Tensor m, Tensor v, Coefficients c) {
        if (Kernels.choose(p).kernels() != Kernels.VECTOR) {
            aten(p, g, m, v, c);
            return;
        }
        long n = p.numel();
        long whole = n - n % Tiles.LANES;
        Tensor dense = g.contiguous();
        MemorySegment weights = Torch.memory(p);
        MemorySegment gradients = Torch.memory(dense);
        MemorySegment means = Torch.memory(m);
        MemorySegment squares = Torch.memory(v);
        Parallel.run(Math.toIntExact((whole + TILE - 1) / TILE), TILE, (first, last) -> {
            float[] gradient = new float[TILE];
            float[] divisors = new float[TILE];
            for (int tile = first; tile < last; tile++) {
                long from = (long) tile * TILE;
                long end = Math.min(whole, from + TILE);
                Loops.gradients(gradients, gradient, c, from, end);
                Loops.means(means, gradient, c, from, end);
                Loops.squares(squares, gradient, c, from, end);
                Loops.divisors(squares, divisors, c, from, end);
                Loops.weights(weights, means, divisors, c, from, end);
            }
        });
        if (whole < n) {
            aten(rest(p, whole), rest(dense, whole), rest(m, whole), rest(v, whole), c);
        }
        Reference.reachabilityFence(dense);
    }

    private static Tensor rest(Tensor t, long from) {
        return t.view(-1).narrow(0, from, t.numel() - from);
    }

    /// The sequence itself, for any device.
    static void aten(Tensor p, Tensor g, Tensor m, Tensor v, Coefficients c) {
        Tensor scaled = Ops.mul_(Ops.copy(g), c.factor);
        Ops.mul_(p, c.decay);
        Ops.lerp_(m, scaled, c.meanShare);
        Ops.addcmul_(Ops.mul_(v, c.squareDecay), scaled, scaled, c.squareShare);
        Tensor root = Ops.div(v.sqrt(), c.root);
        Ops.addcdiv_(p, m, Ops.add_(root, c.eps), -c.rate);
    }

    /// Five loops over a tile, not one: C2 does not inline as many vector operations as one would have.
    ///
    /// A class of its own, which a JVM without the Vector API never loads.
    private static final class Loops {
        static void gradients(MemorySegment g, float[] gradient, Coefficients c, long from, long end) {
            for (long i = from; i < end; i += Tiles.LANES) {
                round(Tiles.bf16(g, i).mul(c.factor)).intoArray(gradient, (int) (i - from));
            }
        }

        static void means(MemorySegment m, float[] g, Coefficients c, long from, long end) {
            // torch's `lerp` starts at the nearer end.
            boolean fromMean = (float) c.meanShare < 0.5f;
            FloatVector way = FloatVector.broadcast(Tiles.F, (float) c.meanShare - (fromMean ? 0 : 1));
            for (long i = from; i < end; i += Tiles.LANES) {
                FloatVector mean = Tiles.bf16(m, i);
                FloatVector gradient = FloatVector.fromArray(Tiles.F, g, (int) (i - from));
                Tiles.storeBf16(round(gradient.sub(mean).fma(way, fromMean ? mean : gradient)), m, i);
            }
        }

        /// Constants are vectors before the loop: with scalars in it, and a collector that is not G1, C2 made objects
        /// of its vectors.
        static void squares(MemorySegment v, float[] g, Coefficients c, long from, long end) {
            FloatVector decay = FloatVector.broadcast(Tiles.F, (float) c.squareDecay);
            FloatVector share = FloatVector.broadcast(Tiles.F, (float) c.squareShare);
            for (long i = from; i < end; i += Tiles.LANES) {
                FloatVector gradient = FloatVector.fromArray(Tiles.F, g, (int) (i - from));
                FloatVector square = round(Tiles.bf16(v, i).mul(decay));
                Tiles.storeBf16(round(gradient.mul(share).fma(gradient, square)), v, i);
            }
        }

        static void divisors(MemorySegment v, float[] divisors, Coefficients c, long from, long end) {
            float root = (float) c.root;
            // Of all scalars torch rounds only the one that it adds.
            float eps = Rounding.round((float) c.eps, DType.BF16);
            for (long i = from; i < end; i += Tiles.LANES) {
                FloatVector square = round(Tiles.bf16(v, i).sqrt());
                round(round(square.div(root)).add(eps)).intoArray(divisors, (int) (i - from));
            }
        }

        static void weights(MemorySegment p, MemorySegment m, float[] divisors, Coefficients c, long from, long end) {
            float decay = (float) c.decay;
            float rate = (float) -c.rate;
            for (long i = from; i < end; i += Tiles.LANES) {
                FloatVector divisor = FloatVector.fromArray(Tiles.F, divisors, (int) (i - from));
                FloatVector way = Tiles.bf16(m, i).mul(rate).div(divisor);
                Tiles.storeBf16(round(round(Tiles.bf16(p, i).mul(decay)).add(way)), p, i);
            }
        }

        private static FloatVector round(FloatVector x) {
            return Tiles.round(x, DType.BF16);
        }
    }
}
