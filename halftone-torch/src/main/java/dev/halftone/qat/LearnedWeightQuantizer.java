package dev.halftone.qat;

import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.LearnedKernel;
import dev.halftone.kernel.LearnedKernel.Gradients;
import dev.halftone.kernel.LearnedKernel.Scales;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Fake quantization of one weight with scales that are trained beside it. They start where the scheme says, from the
/// weight as it is when training is prepared.
final class LearnedWeightQuantizer extends WeightFakeQuantizer {
    /// The name in the layer of what is trained: an artifact's name of scales.
    private static final String SCALE = "weight_scale";

    private final Parameter scale;

    /// @param weight the one that this is for
    LearnedWeightQuantizer(QuantScheme scheme, GradientRule rule, @Nullable Kernels kernels, Parameter weight) {
        super(scheme, rule, kernels);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            scale = new Parameter(
                    learned(weight.master()).start(weight.master()).scale());
        }
        scale.setTrainable(true);
    }

    @Override
    public Map<String, Parameter> parameters() {
        return Map.of(SCALE, scale);
    }

    @Override
    public Tensor backward(Supplier<Tensor> master, Tensor gradient_NK) {
        Tensor master_NK = master.get();
        Gradients gradients = learned(master_NK).gradients(master_NK, scales(), gradient_NK, rule);
        if (scale.trainable()) {
            scale.addGradient(gradients.scales().scale());
        }
        return gradients.x();
    }

    @Override
    GridKernel kernel(Tensor w_NK) {
        return learned(w_NK).with(scales());
    }

    @Override
    GridKernel kernel(Tensor w_RK, Tensor rows_R) {
        return learned(w_RK).with(new Scales(scale.master().detach().index_select(0, rows_R), null));
    }

    /// Takes these scales instead of its own.
    void take(Tensor scale_NG) {
        scale.master().detach().copy_(scale_NG);
        scale.changed();
    }

    private Scales scales() {
        return new Scales(scale.master().detach(), null);
    }

    private LearnedKernel learned(Tensor w_NK) {
        return (LearnedKernel) super.kernel(w_NK);
    }
}
