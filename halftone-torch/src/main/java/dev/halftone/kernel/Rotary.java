package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import jdk.incubator.vector.FloatVector;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The rotation of queries and keys, differentiable: features `a` and `b`, half a head apart, become
/// `a · cos - b · sin` and `b · cos + a · sin`. Products and sums each round to the dtype, as libtorch's operators do,
/// of which the rotation is five and its backward pass eight.
public final class Rotary {
    private final Tensor cos_B1SD;
    private final Tensor sin_B1SD;
    /// What the vectors read; null until they do.
    private @Nullable Angles angles;

    /// @param cos_B1SD `[B or 1, 1, S, D]`, in the dtype of the results; both halves of a row are equal
    /// @param sin_B1SD same shape and dtype
    public Rotary(Tensor cos_B1SD, Tensor sin_B1SD) {
        this.cos_B1SD = cos_B1SD;
        this.sin_B1SD = sin_B1SD;
    }

    /// @param x_BSHD queries or keys of H heads
    /// @return `[B, S, H, D]`
    public Tensor apply(Tensor x_BSHD) {
        DType dtype = Torch.dtype(cos_B1SD);
        Tensor x = Ops.to(x_BSHD, dtype);
        if (dtype == DType.F16 || Kernels.choose(x).kernels() != Kernels.VECTOR) {
            return aten(x, cos_B1SD.transpose(1, 2), sin_B1SD.transpose(1, 2));
        }
        Angles angles = angles(dtype);
        try (Scope scope = Scope.open()) {
            Tensor y = Ops.copy(x.contiguous());
            angles.rotate(y.detach(), false);
            if (y.requires_grad() && GradMode.is_enabled()) {
                Hooks.onGradient(y, g -> {
                    Tensor back = Ops.copy(g.contiguous());
                    angles.rotate(back, true);
                    return back;
                });
            }
            return scope.keep(y);
        }
    }

    private Angles angles(DType dtype) {
        Angles a = angles;
        if (a == null) {
            a = new Angles(Torch.floats(cos_B1SD), Torch.floats(sin_B1SD), dtype);
            angles = a;
        }
        return a;
    }

    static Tensor aten(Tensor x_BSHD, Tensor cos_BS1D, Tensor sin_BS1D) {
        long half = x_BSHD.size(3) / 2;
        Tensor swapped = Ops.cat(List.of(x_BSHD.narrow(3, half, half).neg(), x_BSHD.narrow(3, 0, half)), 3);
        return x_BSHD.mul(cos_BS1D).add(swapped.mul(sin_BS1D));
    }

    /// Cosines and sines of some positions.
    private record Angles(float[] cos, float[] sin, DType dtype) {
        /// In place.
        ///
        /// @param back by the opposite angles
        void rotate(Tensor x_BSHD, boolean back) {
            int d = Math.toIntExact(x_BSHD.size(3));
            int width = Math.toIntExact(x_BSHD.size(2)) * d;
            int rows = Math.toIntExact(x_BSHD.size(0) * x_BSHD.size(1));
            int positions = cos.length / d;
            MemorySegment memory = Torch.memory(x_BSHD);
            Parallel.run(rows, width, (first, last) -> {
                float[] x = new float[width];
                float[] y = new float[width];
                for (int row = first; row < last; row++) {
                    Tiles.load(memory, (long) row * width, x, width, dtype);
                    int angle = row % positions * d;
                    for (int head = 0; head < width; head += d) {
                        turn(x, y, head, head + d / 2, angle, d / 2, back ? 1 : -1);
                        turn(x, y, head + d / 2, head, angle, d / 2, back ? -1 : 1);
                    }
                    Tiles.store(y, width, memory, (long) row * width, dtype);
                }
            });
            Reference.reachabilityFence(x_BSHD);
        }

        /// `y[to + i] = x[to + i] · cos + sign · x[other + i] · sin` for `i < count`.
        private void turn(float[] x, float[] y, int to, int other, int angle, int count, float sign) {
            int whole = count - count % Tiles.LANES;
            products(x, y, to, angle, whole);
            sums(x, y, to, other, angle, whole, sign);
            for (int i = whole; i < count; i++) {
                float p = Rounding.round(x[to + i] * cos[angle + i], dtype);
                float q = Rounding.round(sign * x[other + i] * sin[angle + i], dtype);
                y[to + i] = Rounding.round(p + q, dtype);
            }
        }

        /// Two loops, each a method: C2 does not inline as many vector operations as one would have.
        private void products(float[] x, float[] y, int to, int angle, int count) {
            for (int i = 0; i < count; i += Tiles.LANES) {
                FloatVector a = FloatVector.fromArray(Tiles.F, x, to + i);
                Tiles.round(a.mul(FloatVector.fromArray(Tiles.F, cos, angle + i)), dtype)
                        .intoArray(y, to + i);
            }
        }

        private void sums(float[] x, float[] y, int to, int other, int angle, int count, float sign) {
            for (int i = 0; i < count; i += Tiles.LANES) {
                FloatVector b = FloatVector.fromArray(Tiles.F, x, other + i).mul(sign);
                FloatVector q = Tiles.round(b.mul(FloatVector.fromArray(Tiles.F, sin, angle + i)), dtype);
                Tiles.round(FloatVector.fromArray(Tiles.F, y, to + i).add(q), dtype)
                        .intoArray(y, to + i);
            }
        }
    }
}
