package dev.halftone.qat;

import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.WeightTransform;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Fake quantization of a weight: the forward pass sees the values that its codes stand for, the trained values get
/// the gradient by the [GradientRule]. Scales are chosen anew from the trained values after each change of them.
///
/// The arithmetic is in the dtype of the trained values, whatever dtype the product then runs in: `convert` so
/// finds the very codes and scales that training used.
public sealed class WeightFakeQuantizer implements WeightTransform permits LearnedWeightQuantizer {
    private final QuantScheme scheme;
    final GradientRule rule;
    private final @Nullable Kernels kernels;
    private boolean active = true;

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
    public Tensor forward(Tensor master_NK) {
        return kernel(master_NK).fakeQuantized(master_NK);
    }

    @Override
    public Tensor backward(Tensor master_NK, Tensor gradient_NK) {
        return kernel(master_NK).gradient(master_NK, gradient_NK, rule);
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
