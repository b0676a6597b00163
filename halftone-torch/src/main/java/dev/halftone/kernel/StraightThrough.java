package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Optional;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;

/// Fake quantization inside an autograd graph, with the straight-through estimator of a [GradientRule].
///
/// Rounding has no useful gradient, and bytedeco's autograd nodes cannot be subclassed in Java. So a node whose
/// *backward* is the wanted one is recorded first, and then its *output* is overwritten, unseen by autograd, with
/// what quantization makes of it. No node here saves the values that are overwritten.
public final class StraightThrough {
    private StraightThrough() {}

    /// What remains of `x` after quantization, differentiable with respect to `x`.
    ///
    /// Under IDENTITY, and for grids whose library passes gradients by its clamps, the backward pass is the
    /// identity and needs no memory. Under CLOSED and OPEN it is the
    /// arithmetic of the library that the grid mirrors; intN keeps one bit for each value in the vector
    /// kernel and one byte in the others (see [dev.halftone.quant.IntxOracle]), other grids keep the values.
    ///
    /// @param x `[…, K]` in the grid's dtype, on any device that `kernel` can work on
    /// @param spare notes that are not needed any more; those that are taken now come back to it
    /// @return of the same shape and dtype
    public static Tensor fakeQuantize(Tensor x, GradientRule rule, GridKernel kernel, SpareNotes spare) {
        if (!x.requires_grad() || !GradMode.is_enabled()) {
            return kernel.fakeQuantized(x);
        }
        if (rule == GradientRule.IDENTITY || kernel.grid().passThrough()) {
            return identity(x, kernel);
        }
        Optional<GradientNotes> notes = spare.take(x, rule, kernel);
        if (notes.isPresent()) {
            return noted(x, notes.get(), spare);
        }
        return kernel instanceof IntxKernel intx ? masked(x, rule, intx) : hooked(x, rule, kernel);
    }

    private static Tensor identity(Tensor x, GridKernel kernel) {
        try (Scope scope = Scope.open()) {
            Tensor y = Ops.copy(x);
            kernel.fakeQuantize(y.detach(), y.detach());
            return scope.keep(y);
        }
    }

    /// The node that copies, whose gradient the kernel replaces on its way back.
    private static Tensor hooked(Tensor x, GradientRule rule, GridKernel kernel) {
        try (Scope scope = Scope.open()) {
            Tensor y = Ops.copy(x);
            Hooks.onGradient(y, x.detach(), (values, upstream) -> kernel.gradient(values, upstream, rule));
            kernel.fakeQuantize(x.detach(), y.detach());
            return scope.keep(y);
        }
    }

    /// The node that copies, whose gradient depends on what the kernel noted on its way forward.
    private static Tensor noted(Tensor x, GradientNotes notes, SpareNotes spare) {
        try (Scope scope = Scope.open()) {
            Tensor y = Ops.copy(x);
            notes.fakeQuantize(x.detach(), y.detach());
            Hooks.onGradient(y, upstream -> {
                Tensor gradient = Torch.emptyLike(upstream, Torch.dtype(upstream), Torch.shape(upstream));
                notes.gradient(upstream, gradient);
                spare.giveBack(notes);
                return gradient;
            });
            return scope.keep(y);
        }
    }

    /// The nodes whose backward passes are, last to first: times the scale, 0 where the gradient stops, times the
    /// reciprocal. Each rounds to the dtype of the values, as autograd casts gradients to the dtype of what they
    /// belong to.
    private static Tensor masked(Tensor x, GradientRule rule, IntxKernel kernel) {
        try (Scope scope = Scope.open()) {
            IntxKernel.Stops stops = kernel.stops(x, rule);
            int group = GridKernel.group(x, kernel.grid());
            Tensor scale_B1 = stops.scale().view(-1, 1);
            Tensor y_BG = x.reshape(-1, group).mul(scale_B1.reciprocal());
            y_BG = Ops.to(
                            Ops.maskedFill_(y_BG, stops.stopped().view(-1, group), 0),
                            kernel.grid().dtype())
                    .mul_(scale_B1);
            Tensor y = y_BG.view(Torch.shape(x));
            kernel.fakeQuantize(x.detach(), y.detach());
            return scope.keep(y);
        }
    }
}
