package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;

/// `x / √(mean(x²) + eps)` over the last dimension, differentiable, in float32 and rounded once.
///
/// **Gradient.** With r the reciprocal root of a row and n = x · r, that of x is `r · (g - n · mean(g · n))`. The
/// vectors keep x for it and nothing else, where libtorch's operators keep three float32 tensors.
public final class RootMeanSquare {
    private RootMeanSquare() {}

    /// @param x `[…, D]`
    /// @param dtype of the result
    public static Tensor normalise(Tensor x, double eps, DType dtype) {
        DType from = Torch.dtype(x);
        if (from == DType.F16 || dtype == DType.F16 || Kernels.choose(x).kernels() != Kernels.VECTOR) {
            return aten(x, eps, dtype);
        }
        try (Scope scope = Scope.open()) {
            Tensor dense = x.contiguous();
            // A node with the gradient's way back to x, whose values are overwritten.
            Tensor y = from == dtype ? Ops.copy(dense) : Ops.to(dense, dtype);
            forward(dense.detach(), y.detach(), eps);
            if (y.requires_grad() && GradMode.is_enabled()) {
                Hooks.onGradient(y, dense.detach(), (values, g) -> backward(values, g.contiguous(), eps));
            }
            return scope.keep(y);
        }
    }

    static Tensor aten(Tensor x, double eps, DType dtype) {
        Tensor f = Ops.to(x, DType.F32);
        Tensor root = Ops.add(Ops.meanLast(Ops.pow(f, 2)), eps).rsqrt();
        return Ops.to(f.mul(root), dtype);
    }

    private static void forward(Tensor x, Tensor y, double eps) {
        int d = Math.toIntExact(x.size(-1));
        DType from = Torch.dtype(x);
        DType to = Torch.dtype(y);
        MemorySegment in = Torch.memory(x);
        MemorySegment out = Torch.memory(y);
        Parallel.run(Math.toIntExact(x.numel() / d), d, (first, last) -> {
            float[] row = new float[d];
            for (long at = (long) first * d; at < (long) last * d; at += d) {
                Tiles.load(in, at, row, d, from);
                Tiles.scale(row, 0, d, root(row, d, eps), to);
                Tiles.store(row, d, out, at, to);
            }
        });
        Reference.reachabilityFence(x);
        Reference.reachabilityFence(y);
    }

    /// @return the gradient of `x`, in the dtype of `g`
    private static Tensor backward(Tensor x, Tensor g, double eps) {
        int d = Math.toIntExact(x.size(-1));
        DType from = Torch.dtype(x);
        DType to = Torch.dtype(g);
        Tensor dx = Torch.empty(to, Torch.shape(g));
        MemorySegment values = Torch.memory(x);
        MemorySegment in = Torch.memory(g);
        MemorySegment out = Torch.memory(dx);
        Parallel.run(Math.toIntExact(x.numel() / d), d, (first, last) -> {
            float[] normal = new float[d];
            float[] gradient = new float[d];
            for (long at = (long) first * d; at < (long) last * d; at += d) {
                Tiles.load(values, at, normal, d, from);
                Tiles.load(in, at, gradient, d, to);
                float root = root(normal, d, eps);
                Tiles.scale(normal, 0, d, root, DType.F32);
                Rows.subtract(gradient, normal, d, (float) (Tiles.dot(gradient, normal, d) / d));
                Tiles.scale(gradient, 0, d, root, to);
                Tiles.store(gradient, d, out, at, to);
            }
        });
        Reference.reachabilityFence(x);
        Reference.reachabilityFence(g);
        return dx;
    }

    private static float root(float[] row, int d, double eps) {
        return 1 / (float) Math.sqrt((float) (Tiles.dot(row, row, d) / d) + (float) eps);
    }

    /// What needs the Vector API: a JVM without it never loads this class.
    private static final class Rows {
        /// `g - normal · share`, in place of `g`.
        static void subtract(float[] g, float[] normal, int d, float share) {
            int i = 0;
            for (; i <= d - Tiles.LANES; i += Tiles.LANES) {
                FloatVector n = FloatVector.fromArray(Tiles.F, normal, i).mul(share);
                FloatVector.fromArray(Tiles.F, g, i).sub(n).intoArray(g, i);
            }
            for (; i < d; i++) {
                g[i] -= normal[i] * share;
            }
        }
    }
}
