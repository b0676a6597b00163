package dev.halftone.optim;

import dev.halftone.kernel.SumOfSquares;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;

/// The gradients of all parameters taken together.
public final class Gradients {
    private Gradients() {}

    /// Measures the global L2 norm and, where it exceeds `maxNorm`, scales every gradient by `maxNorm / (norm + 1e-6)`,
    /// as torch's `clip_grad_norm_`. The norm is computed in float32 or more, whatever the gradients' dtype.
    ///
    /// @param maxNorm empty to measure only
    /// @return the norm before clipping
    public static double clip(Collection<Parameter> parameters, OptionalDouble maxNorm) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            List<Tensor> gradients = parameters.stream()
                    .map(Parameter::gradient)
                    .filter(Objects::nonNull)
                    .toList();
            if (gradients.isEmpty()) {
                return 0;
            }
            float norm = (float)
                    Math.sqrt(gradients.stream().mapToDouble(SumOfSquares::of).sum());
            if (maxNorm.isPresent()) {
                float coefficient = (float) maxNorm.getAsDouble() / (norm + 1e-6f);
                if (coefficient < 1) {
                    gradients.forEach(g -> Ops.mul_(g, coefficient));
                }
            }
            return norm;
        }
    }

    public static void clear(Collection<Parameter> parameters) {
        parameters.forEach(Parameter::clearGradient);
    }
}
