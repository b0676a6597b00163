package dev.halftone.qat;

import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.StraightThrough;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// int8 dynamic activations: each token is mapped to [-128, 127] by its own scale and zero point, and back.
///
/// In training, after `convert` and in post-training quantization alike: a runtime that multiplies the int8 codes
/// computes the same product. The arithmetic is in the dtype in which the activation arrives. All layers of a
/// plan hold one and the same object, so that [dev.halftone.nn.Linear#forwardAll] can see that its layers share
/// the work.
public final class Int8TokenFakeQuantizer implements ActivationTransform {
    private final Numerics numerics;
    private final GradientRule rule;
    private final @Nullable Kernels kernels;
    private boolean active = true;

    public Int8TokenFakeQuantizer(Numerics numerics, GradientRule rule, @Nullable Kernels kernels) {
        this.numerics = numerics;
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
        int features = Math.toIntExact(x.size(-1));
        IntxGrid grid = IntxGrid.activations(numerics, Torch.dtype(x));
        return StraightThrough.fakeQuantize(x, features, grid, rule, Kernels.intx(kernels, x));
    }
}
