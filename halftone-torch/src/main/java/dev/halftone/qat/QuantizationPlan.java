package dev.halftone.qat;

import dev.halftone.kernel.Kernels;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What is quantized, and how.
///
/// ```java
/// QuantizationPlan.of(new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO))
///         .excluding("lm_head");
/// ```
///
/// @param include globs over the dotted paths of linear layers; `*` stands for any characters, dots too, `?` for
///     one
/// @param exclude globs over what `include` matched: these layers stay in float
/// @param rule the gradient of values that quantization clamps, in training
/// @param kernels which implementation computes it; null chooses by the device of the weights ([Kernels#choose])
public record QuantizationPlan(
        QuantScheme scheme,
        List<String> include,
        List<String> exclude,
        GradientRule rule,
        @Nullable Kernels kernels) {
    public QuantizationPlan {
        include = List.copyOf(include);
        exclude = List.copyOf(exclude);
    }

    /// Every linear layer, with the gradient of torch up to 2.13.
    public static QuantizationPlan of(QuantScheme scheme) {
        return new QuantizationPlan(scheme, List.of("*"), List.of(), GradientRule.CLOSED, null);
    }

    /// The same for these layers only.
    public QuantizationPlan including(String... globs) {
        return new QuantizationPlan(scheme, List.of(globs), exclude, rule, kernels);
    }

    /// The same without these layers.
    public QuantizationPlan excluding(String... globs) {
        return new QuantizationPlan(scheme, include, List.of(globs), rule, kernels);
    }

    /// The same with this gradient.
    public QuantizationPlan with(GradientRule rule) {
        return new QuantizationPlan(scheme, include, exclude, rule, kernels);
    }

    /// The same with this implementation.
    public QuantizationPlan with(Kernels kernels) {
        return new QuantizationPlan(scheme, include, exclude, rule, kernels);
    }
}
