package dev.halftone.qat;

import dev.halftone.kernel.IntxKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.WeightTransform;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Fake quantization of a weight: the forward pass sees the values that its intN codes stand for, the trained
/// values get the gradient by the [GradientRule]. Scales are chosen anew from the trained values after each
/// change of them.
///
/// The arithmetic is in the dtype of the trained values, whatever dtype the product then runs in: `convert` so
/// finds the very codes and scales that training used.
public final class IntxWeightFakeQuantizer implements WeightTransform {
    private final IntxScheme scheme;
    private final GradientRule rule;
    private final @Nullable Kernels kernels;
    private boolean active = true;

    public IntxWeightFakeQuantizer(IntxScheme scheme, GradientRule rule, @Nullable Kernels kernels) {
        this.scheme = scheme;
        this.rule = rule;
        this.kernels = kernels;
    }

    public IntxScheme scheme() {
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
        return kernel(master_NK).fakeQuantized(master_NK, group(master_NK), grid(master_NK));
    }

    @Override
    public Tensor backward(Tensor master_NK, Tensor gradient_NK) {
        return kernel(master_NK).gradient(master_NK, gradient_NK, group(master_NK), grid(master_NK), rule);
    }

    /// The codes and scales that [#forward] uses for the trained values of `p`.
    QuantizedWeight quantize(Parameter p) {
        return QuantizedWeight.of(p.master(), scheme, p.computeDtype(), kernel(p.master()));
    }

    private IntxKernel kernel(Tensor t) {
        return Kernels.intx(kernels, t);
    }

    private int group(Tensor w_NK) {
        return scheme.granularity().groupSize(w_NK.size(1));
    }

    private IntxGrid grid(Tensor w_NK) {
        return IntxGrid.weights(scheme, Torch.dtype(w_NK));
    }
}
