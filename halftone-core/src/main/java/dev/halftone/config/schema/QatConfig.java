package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// torchao's `QATConfig`: the quantizer of after training, or the fake quantizers of weights and activations.
@Component(
        value = "QATConfig",
        doc = "what torchao's QATConfig says: a quantizer, or fake quantizers of weights and activations")
@Foreign(
        value = "step",
        why = "the recipe says it: qat prepares, trains and converts",
        harmless = {"prepare", "QATStep.PREPARE"})
public record QatConfig(
        @Key(value = "the quantizer that training prepares for; null where weight_config says it", otherwise = "null")
        @Nullable
        QuantizerConfig baseConfig,

        @Key(value = "fake quantizer of weights, symmetric intN", otherwise = "null") @Nullable
        FakeQuantizer weightConfig,

        @Key(value = "fake quantizer of activations, int8 per token; null leaves them in float", otherwise = "null")
        @Nullable
        FakeQuantizer activationConfig,

        @Inline LayerSelection layers,

        @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
        GradientRule gradientRule)
        implements QuantizerConfig {
    /// torchao's eps of the activations in 8da4w.
    private static final double LEGACY_EPS = 0x1p-23;

    /// A fake quantizer on its own.
    public sealed interface FakeQuantizer {}

    /// torchao's `IntxFakeQuantizeConfig`.
    @Component(value = "IntxFakeQuantizeConfig", doc = "integers, with float32 scales")
    @Foreign(
            value = {"scale_precision", "zero_point_precision"},
            why = "scales are float32, and zero points are integers",
            harmless = {"float32", "torch.float32", "int32", "torch.int32"})
    @Foreign(
            value = "zero_point_domain",
            why = "zero points are integers",
            harmless = {"INT", "ZeroPointDomain.INT"})
    public record IntxFakeQuantize(
            @Key("int2 to int8") IntN dtype,

            @Key(
                    value = "`per_token`, `per_channel`, or `per_group` with group_size; null takes group_size",
                    otherwise = "null")
            @Nullable
            String granularity,

            @Key(value = "how many neighbours along the input share a scale", otherwise = "null") @Nullable
            Integer groupSize,

            @Key(value = "whether zero is code 0", otherwise = "True")
            boolean isSymmetric,

            @Key(value = "whether scales are chosen anew each time; False with range_learning", otherwise = "True")
            boolean isDynamic,

            @Key(value = "whether scales are trained", otherwise = "False")
            boolean rangeLearning,

            @Key(value = "smallest scale; null is the smallest normal number", otherwise = "null") @Nullable
            Double eps)
            implements FakeQuantizer {
        public IntxFakeQuantize {
            if (isDynamic == rangeLearning) {
                throw new InputException(
                        rangeLearning
                                ? "is_dynamic: scales that are trained are not chosen anew. Set is_dynamic: False."
                                : "is_dynamic: scales are chosen anew for each input. Set is_dynamic: True, or range_learning: True.");
            }
        }

        private Granularity blocks() {
            if (groupSize != null && (granularity == null || granularity.equals("per_group"))) {
                return new Granularity.PerGroup(groupSize);
            }
            if (groupSize == null && "per_channel".equals(granularity)) {
                return new Granularity.PerAxis();
            }
            throw new InputException(
                    "granularity: weights have groups or channels. Set group_size, or granularity: per_channel.");
        }
    }

    public QatConfig {
        if ((baseConfig == null) == (weightConfig == null)) {
            throw new InputException(
                    "base_config: what is quantized is said by base_config or weight_config. Give one.");
        }
        if (baseConfig != null && (activationConfig != null || !layers.equals(LayerSelection.ALL_BUT_HEAD))) {
            throw new InputException(
                    "base_config: it says itself what it quantizes. Move include and exclude into it, and drop activation_config.");
        }
        if (weightConfig instanceof IntxFakeQuantize w) {
            quantizer(w, activationConfig, layers, gradientRule);
        }
    }

    @Override
    public List<OneScheme> parts() {
        return weightConfig instanceof IntxFakeQuantize w
                ? List.of(quantizer(w, activationConfig, layers, gradientRule))
                : Objects.requireNonNull(baseConfig).parts();
    }

    /// The quantizer that computes what the fake quantizers do.
    private static OneScheme quantizer(
            IntxFakeQuantize w, @Nullable FakeQuantizer activations, LayerSelection layers, GradientRule rule) {
        Granularity blocks = w.blocks();
        if (!w.isSymmetric()) {
            throw new InputException(
                    "weight_config: asymmetric intN weights are not supported. Set is_symmetric: True.");
        }
        if (activations instanceof IntxFakeQuantize a) {
            if (a.dtype().bits() != 8 || a.isSymmetric() || a.rangeLearning() || !"per_token".equals(a.granularity())) {
                throw new InputException(
                        "activation_config: only int8, per_token, asymmetric and dynamic activations are supported."
                                + " Set dtype: int8, granularity: per_token, is_symmetric: False.");
            }
            if (w.rangeLearning() && a.eps() == null) {
                return new IntxQuantizer.Int8DynamicActivationIntxWeight(
                        w.dtype(), blocks, layers, rule, LearnedScales.RANGE_LEARNING, MixedWidths.NONE);
            }
            if (!w.rangeLearning() && w.dtype().bits() == 4 && Objects.equals(a.eps(), LEGACY_EPS)) {
                return new IntxQuantizer.Int8DynActInt4Weight(blocks, layers, rule);
            }
        } else if (w.rangeLearning()) {
            return new IntxQuantizer.IntxWeightOnly(
                    w.dtype(), blocks, layers, rule, LearnedScales.RANGE_LEARNING, MixedWidths.NONE);
        }
        throw new InputException(
                "weight_config: float32 scales go with range_learning, or with int4 weights and activations of"
                        + " eps: 1.1920928955078125e-07 (8da4w). Use base_config for scales in the dtype of the weight.");
    }
}
