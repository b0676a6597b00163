package dev.halftone.qat;

import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.StraightThrough;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Torch;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Dynamic activations: inputs are mapped to the scheme's grid, by scales that are chosen for each input, and back.
///
/// In training, after `convert` and in post-training quantization alike: a runtime that multiplies the codes
/// computes the same product. The arithmetic is in the dtype in which the activation arrives. All layers of a
/// plan with one scheme hold one and the same object, so that [dev.halftone.nn.Linear#forwardAll] can see that its
/// layers share the work.
public final class ActivationFakeQuantizer implements ActivationTransform {
    private final QuantScheme scheme;
    private final GradientRule rule;
    private final @Nullable Kernels kernels;
    private boolean active = true;

    /// @param scheme one that quantizes activations
    public ActivationFakeQuantizer(QuantScheme scheme, GradientRule rule, @Nullable Kernels kernels) {
        this.scheme = scheme;
        this.rule = rule;
        this.kernels = kernels;
    }

    @Override
    public boolean active() {
        return active;
    }

    public void setActive(boolean active) {
        this.active = active;
    }

    @Override
    public Tensor forward(Tensor x) {
        Grid grid = Objects.requireNonNull(scheme.activations(Torch.dtype(x)));
        return StraightThrough.fakeQuantize(x, rule, Kernels.of(kernels, grid, x));
    }
}
