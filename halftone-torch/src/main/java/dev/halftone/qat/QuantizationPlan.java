package dev.halftone.qat;

import dev.halftone.kernel.Kernels;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What is quantized, and how.
///
/// ```java
/// QuantizationPlan.of(new IntxScheme(4, new Granularity.PerGroup(32), true, Numerics.TORCHAO))
///         .excluding("lm_head");
/// ```
///
/// Layers may have different schemes: a layer has that of the last rule that matches it, and stays in float where none
/// does.
///
/// ```java
/// QuantizationPlan.of(int4).excluding("lm_head").and(QuantizationPlan.of(int8).including("*.down_proj"))
/// ```
///
/// @param rules in order; the last match wins
/// @param kernels which implementation computes it; null chooses by the device of the weights ([Kernels#choose])
public record QuantizationPlan(List<Rule> rules, @Nullable Kernels kernels) {
    /// A scheme for some layers.
    ///
    /// @param include globs over the dotted paths of linear layers; `*` stands for any characters, dots
    ///     too, `?` for one
    /// @param exclude globs over what `include` matched: this rule leaves these layers as they are
    /// @param gradient of values that quantization clamps, in training
    public record Rule(QuantScheme scheme, List<String> include, List<String> exclude, GradientRule gradient) {
        public Rule {
            include = List.copyOf(include);
            exclude = List.copyOf(exclude);
        }
    }

    public QuantizationPlan {
        rules = List.copyOf(rules);
    }

    /// Every linear layer, with the gradient of torch up to 2.13.
    public static QuantizationPlan of(QuantScheme scheme) {
        return new QuantizationPlan(List.of(new Rule(scheme, List.of("*"), List.of(), GradientRule.CLOSED)), null);
    }

    /// The same for these layers only.
    public QuantizationPlan including(String... globs) {
        return withRules(r -> new Rule(r.scheme, List.of(globs), r.exclude, r.gradient));
    }

    /// The same without these layers.
    public QuantizationPlan excluding(String... globs) {
        return withRules(r -> new Rule(r.scheme, r.include, List.of(globs), r.gradient));
    }

    /// The same with this gradient.
    public QuantizationPlan with(GradientRule gradient) {
        return withRules(r -> new Rule(r.scheme, r.include, r.exclude, gradient));
    }

    /// The same with this implementation.
    public QuantizationPlan with(Kernels kernels) {
        return new QuantizationPlan(rules, kernels);
    }

    /// This plan, and the rules of another after its own.
    public QuantizationPlan and(QuantizationPlan other) {
        return new QuantizationPlan(
                Stream.concat(rules.stream(), other.rules.stream()).toList(), kernels);
    }

    private QuantizationPlan withRules(UnaryOperator<Rule> change) {
        return new QuantizationPlan(rules.stream().map(change).toList(), kernels);
    }
}
