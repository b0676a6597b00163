package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.RootMeanSquare;
import dev.halftone.kernel.RowOps;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;

/// Root mean square normalisation over the last dimension: `w · x / √(mean(x²) + eps)` (Zhang and Sennrich 2019).
///
/// Computed in float32 whatever the input. Families differ in where they round to the input's dtype.
public final class RmsNorm extends Module {
    /// Where the result is rounded to the dtype of the input.
    public enum Rounding {
        /// The quotient is rounded, then multiplied by the weight: `LlamaRMSNorm` of transformers 5, and most others.
        BEFORE_WEIGHT,
        /// The product is rounded, once: `Olmo2RMSNorm`.
        AFTER_WEIGHT
    }

    private final Parameter weight;
    private final double eps;
    private final Rounding rounding;

    /// @param weight_D `[D]`
    public RmsNorm(Parameter weight_D, double eps, Rounding rounding) {
        weight = parameter("weight", weight_D);
        this.eps = eps;
        this.rounding = rounding;
    }

    /// @param x `[…, D]`
    /// @return same shape and, for a weight of that dtype, same dtype
    public Tensor forward(Tensor x) {
        DType dtype = Torch.dtype(x);
        return switch (rounding) {
            case BEFORE_WEIGHT -> weight.value().mul(RootMeanSquare.normalise(x, eps, dtype));
            case AFTER_WEIGHT -> Ops.to(weight.value().mul(RootMeanSquare.normalise(x, eps, DType.F32)), dtype);
        };
    }

    /// [#forward] over a row: each stretch of it that is as wide as the norm is normalised by itself.
    public RowStage row() {
        float[] w = Torch.floats(weight.value());
        return (x, _) -> RowOps.norm(x, w, eps);
    }

    /// `[D]`
    public Parameter weight() {
        return weight;
    }

    /// Number of features that are normalised together.
    public long width() {
        return weight.shape()[0];
    }
}
