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
    /// @param decay 1 - lr · weight_decay
    /// @param meanShare 1 - β1
    /// @param squareDecay β2
    /// @param squareShare 1 - β2
    /// @param root √(1 - β2^t)
    /// @param rate lr / (1 - β1^t)
    public record Coefficients(
            double decay,
            double meanShare,
            double squareDecay,
            double squareShare,
            double root,
            double eps,
            double rate) {}

    private static final int LANES = Tiles.LANES;
    /// Elements that stay on one thread.
    private static final int CHUNK = 1 << 15;

    private Bf16AdamW() {}

    /// Updates p, m and v in place. All four are bfloat16 and of one shape.
    public static void update(Tensor p, Tensor g, Tensor m, Tensor v, Coefficients c) {
        if (Kernels.choose(p).kernels() != Kernels.VECTOR) {
            aten(p, g, m, v, c);
            return;
        }
        long n = p.numel();
        long whole = n - n % LANES;
        Tensor dense = g.contiguous();
        Step step = new Step(Torch.memory(p), Torch.memory(dense), Torch.memory(m), Torch.memory(v), c);
        Parallel.run(Math.toIntExact((whole + CHUNK - 1) / CHUNK), CHUNK, (first, last) -> {
            long end = Math.min(whole, (long) last * CHUNK);
            for (long i = (long) first * CHUNK; i < end; i += LANES) {
                step.run(i);
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
        Ops.mul_(p, c.decay);
        Ops.lerp_(m, g, c.meanShare);
        Ops.addcmul_(Ops.mul_(v, c.squareDecay), g, g, c.squareShare);
        Tensor root = Ops.div(v.sqrt(), c.root);
        Ops.addcdiv_(p, m, Ops.add_(root, c.eps), -c.rate);
    }

    /// One step over the memory of the four tensors.
    private record Step(MemorySegment p, MemorySegment g, MemorySegment m, MemorySegment v, Coefficients c) {
        /// Updates the elements from `i` on that fill a vector. Of all scalars torch rounds only the one that it adds.
        void run(long i) {
            FloatVector gradient = Tiles.bf16(g, i);
            FloatVector mean = mean(Tiles.bf16(m, i), gradient, (float) c.meanShare);
            FloatVector square = round(Tiles.bf16(v, i).mul((float) c.squareDecay));
            square = round(gradient.mul((float) c.squareShare).fma(gradient, square));
            FloatVector root = round(round(square.sqrt()).div((float) c.root));
            FloatVector weight = round(Tiles.bf16(p, i).mul((float) c.decay));
            weight = round(weight.add(
                    mean.mul((float) -c.rate).div(round(root.add(Rounding.round((float) c.eps, DType.BF16))))));
            Tiles.storeBf16(mean, m, i);
            Tiles.storeBf16(square, v, i);
            Tiles.storeBf16(weight, p, i);
        }

        /// As torch's `lerp`, which starts at the nearer end.
        private static FloatVector mean(FloatVector mean, FloatVector gradient, float share) {
            FloatVector way = gradient.sub(mean);
            return round(
                    share < 0.5f
                            ? way.fma(FloatVector.broadcast(Tiles.F, share), mean)
                            : way.fma(FloatVector.broadcast(Tiles.F, share - 1), gradient));
        }

        private static FloatVector round(FloatVector x) {
            return Tiles.round(x, DType.BF16);
        }
    }
}
