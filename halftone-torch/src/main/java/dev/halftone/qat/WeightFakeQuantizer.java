package dev.halftone.qat;

import dev.halftone.kernel.GradientNotes;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.WeightTransform;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Fake quantization of one weight: the forward pass sees the values that its codes stand for, the trained values get
/// the gradient by the [GradientRule]. Scales are chosen anew from the trained values after each change of them.
///
/// The arithmetic is in the dtype of the trained values, whatever dtype the product then runs in: `convert` so
/// finds the very codes and scales that training used.
public sealed class WeightFakeQuantizer implements WeightTransform permits LearnedWeightQuantizer {
    private final QuantScheme scheme;
    final GradientRule rule;
    private final @Nullable Kernels kernels;
    private boolean active = true;
    /// What [#backward] needs of the latest [#forward]; null where the kernel notes nothing.
    private @Nullable GradientNotes notes;

    public WeightFakeQuantizer(QuantScheme scheme, GradientRule rule, @Nullable Kernels kernels) {
        this.scheme = scheme;
        this.rule = rule;
        this.kernels = kernels;
    }

    public QuantScheme scheme() {
        return scheme;
    }

    @Override
    public boolean active() {
        return active;
    }

    /// Switches it on or off. The parameter must be told ([dev.halftone.nn.Parameter#changed]).
    public void setActive(boolean active) {
        this.active = active;
    }

    @Override
    public Tensor forward(Tensor master_NK, boolean trains) {
        GridKernel kernel = kernel(master_NK);
        if (!trains) {
            return kernel.fakeQuantized(master_NK);
        }
        if (notes == null) {
            notes = kernel.notes(master_NK, rule).orElse(null);
        }
        if (notes == null) {
            return kernel.fakeQuantized(master_NK);
        }
        Tensor out_NK = Torch.emptyLike(master_NK, Torch.dtype(master_NK), Torch.shape(master_NK));
        notes.fakeQuantize(master_NK, out_NK);
        return out_NK;
    }

    @Override
    public Tensor backward(Supplier<Tensor> master_NK, Tensor gradient_NK) {
        if (notes != null) {
            Tensor out_NK = gradient_NK.contiguous();
            notes.gradient(out_NK, out_NK);
            return out_NK;
        }
        GridKernel kernel = kernel(gradient_NK);
        return rule == GradientRule.IDENTITY || kernel.grid().passThrough()
                ? gradient_NK
                : kernel.gradient(master_NK.get(), gradient_NK, rule);
    }

    /// The codes and scales that [#forward] uses for the trained values of `p`.
    QuantizedWeight quantize(Parameter p) {
        try (Scope _ = Scope.open()) {
            Tensor w_NK = p.adapted();
            return new QuantizedWeight(
                    scheme, p.dtype(), p.computeDtype(), kernel(w_NK).quantize(w_NK));
        }
    }

    /// The arithmetic for these weights, which are all of a layer.
    GridKernel kernel(Tensor w_NK) {
        return Kernels.of(kernels, scheme.weights(Torch.dtype(w_NK)), w_NK);
    }

    /// The same for some of its rows.
    ///
    /// @param rows_R int64, which rows `w_RK` holds
    GridKernel kernel(Tensor w_RK, Tensor rows_R) {
        return kernel(w_RK);
    }
}
