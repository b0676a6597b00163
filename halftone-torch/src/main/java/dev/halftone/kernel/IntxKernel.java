package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import org.bytedeco.pytorch.Tensor;

/// intN quantization: besides what every grid has, the gradient in the form that a graph can keep in one byte a value.
public interface IntxKernel extends GridKernel {
    /// What a graph needs to compute the gradient later, without `x`.
    ///
    /// @param scale `[…, K / group]` in the grid's scale dtype
    /// @param stopped bool, of the shape of `x`: where no gradient passes
    record Stops(Tensor scale, Tensor stopped) {}

    /// Where the gradient of `x` stops.
    ///
    /// @param rule CLOSED or OPEN
    Stops stops(Tensor x, GradientRule rule);
}
