package dev.halftone.nn;

import java.util.Map;
import java.util.function.Supplier;
import org.bytedeco.pytorch.Tensor;

/// A stage between the trained values of a [Parameter] and what the forward pass uses: fake quantization, or an
/// adapter's delta.
///
/// It runs once per optimizer step, outside autograd: [#forward] writes the shadow copy that the graph is built on,
/// and [#backward] turns the gradient of that copy into the gradient of the trained values (the straight-through
/// estimator).
public interface WeightTransform {
    /// Whether it does anything now. While it does not, the trained values are used as they are.
    boolean active();

    /// What it trains beside the weight itself, such as learned scales, by the names that they have in the layer. Their
    /// gradients are [#backward]'s to add.
    default Map<String, Parameter> parameters() {
        return Map.of();
    }

    /// @param master_NK trained values
    /// @param trains whether [#backward] may follow: what it needs can be noted
    /// @return a new tensor of the same shape and dtype
    Tensor forward(Tensor master_NK, boolean trains);

    /// @param master_NK gives the trained values that [#forward] saw last, which can be as much work as [#forward]
    /// @param gradient_NK gradient of what [#forward] returned, in the dtype of `master_NK`; may be overwritten
    /// @return gradient of `master_NK`: `gradient_NK` itself where the rule is the identity. It goes nowhere
    ///     where the weight is frozen and only [#parameters] are trained
    Tensor backward(Supplier<Tensor> master_NK, Tensor gradient_NK);
}
