package dev.halftone.optim;

import dev.halftone.kernel.SumOfSquares;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;

/// The gradients of all parameters taken together.
public final class Gradients {
    private Gradients() {}

    /// The L2 norm, computed in float32 or more, whatever the gradients' dtype.
    public static float norm(Collection<Parameter> parameters) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            List<Tensor> gradients = parameters.stream()
                    .map(Parameter::gradient)
                    .filter(Objects::nonNull)
                    .toList();
            return (float)
                    Math.sqrt(gradients.stream().mapToDouble(SumOfSquares::of).sum());
        }
    }

    /// What gradients of this norm are multiplied by for a norm of `maxNorm` at most, as by torch's
    /// `clip_grad_norm_`: `min(1, maxNorm / (norm + 1e-6))` in float32; NaN where the norm is.
    ///
    /// @param maxNorm empty for no limit
    public static float clipping(float norm, OptionalDouble maxNorm) {
        return maxNorm.isEmpty() ? 1 : Math.min(1, (float) maxNorm.getAsDouble() / (norm + 1e-6f));
    }

    public static void clear(Collection<Parameter> parameters) {
        parameters.forEach(Parameter::clearGradient);
    }
}
