package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import org.jspecify.annotations.Nullable;

/// Float8 activations.
public sealed interface Float8Quantizer extends QuantizerConfig.OneScheme {
    /// torchao's `Float8DynamicActivationFloat8WeightConfig`, and compressed-tensors' FP8_DYNAMIC.
    @Component(
            value = "Float8DynamicActivationFloat8WeightConfig",
            doc = "weights and activations in float8 (e4m3), activations on the fly")
    @Foreign(
            value = {"activation_dtype", "weight_dtype"},
            why = "both are e4m3",
            harmless = {"float8_e4m3fn", "torch.float8_e4m3fn", "e4m3"})
    @Foreign(
            value = {"mm_config", "kernel_preference", "packing_format", "set_inductor_config", "version"},
            why = "products run on the values that codes stand for, on any device")
    record Float8DynamicActivationFloat8Weight(
            @Key(value = "what shares a scale: `row` (an output channel, a token) or `tensor`", otherwise = "tensor")
            Float8Granularity granularity,

            @Key(value = "the least that the largest magnitude of an activation counts as", otherwise = "null")
            @Nullable
            Double activationValueLb,

            @Key(value = "the most that it counts as", otherwise = "null") @Nullable
            Double activationValueUb,

            @Key(
                    value = "whether gradients flow through scales, under a gradient_rule other than `identity`",
                    otherwise = "false")
            boolean scaleGradient,

            @Key(
                    value =
                            "whose arithmetic: `torchao`, finite for zeros; `torchao_verbatim`, to the letter; `compressed_tensors`",
                    otherwise = "torchao")
            Numerics numerics,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_VALUES, otherwise = "identity")
            GradientRule gradientRule)
            implements Float8Quantizer {
        public Float8DynamicActivationFloat8Weight {
            scheme(granularity, activationValueLb, activationValueUb, scaleGradient, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return scheme(granularity, activationValueLb, activationValueUb, scaleGradient, numerics);
        }

        private static Float8Scheme scheme(
                Float8Granularity granularity,
                @Nullable Double lowest,
                @Nullable Double highest,
                boolean scaleGradient,
                Numerics numerics) {
            return new Float8Scheme(
                    granularity.blocks(),
                    lowest == null ? 0 : lowest.floatValue(),
                    highest == null ? Float.POSITIVE_INFINITY : highest.floatValue(),
                    scaleGradient,
                    numerics);
        }
    }

    /// torchao's `Float8DynamicActivationInt4WeightConfig`.
    @Component(
            value = "Float8DynamicActivationInt4WeightConfig",
            doc = "float8 (e4m3) activations, per token and on the fly, and int4 weights")
    @Foreign(
            value = {"int4_packing_format", "packing_format"},
            why = "codes are packed when they are stored")
    record Float8DynamicActivationInt4Weight(
            @Key(value = Docs.GROUPSIZE, otherwise = "128", also = "group_size")
            Granularity groupsize,

            @Key(
                    value =
                            "whose arithmetic: `torchao`, what it stores; `torchao_verbatim`, what it trains, which is another",
                    otherwise = "torchao")
            Numerics numerics,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_VALUES, otherwise = "identity")
            GradientRule gradientRule)
            implements Float8Quantizer {
        public Float8DynamicActivationInt4Weight {
            new Float8Int4Scheme(groupsize, numerics);
        }

        @Override
        public QuantScheme scheme() {
            return new Float8Int4Scheme(groupsize, numerics);
        }
    }
}
