package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import java.util.Optional;

/// Activations whose scale is calibrated beforehand, one a tensor.
public sealed interface StaticQuantizer extends QuantizerConfig.OneScheme {
    /// How that scale is found.
    CalibrationConfig calibration();

    @Override
    default Optional<CalibrationConfig> calibrated() {
        return Optional.of(calibration());
    }

    /// torchao's `Int8StaticActivationInt8WeightConfig`, and compressed-tensors' static W8A8.
    @Component(
            value = "Int8StaticActivationInt8WeightConfig",
            doc = "int8 weights per output channel and int8 activations with one calibrated scale a tensor")
    @Foreign(
            value = "granularity",
            why = "an activation has one scale, a weight one an output channel",
            harmless = {"[PerTensor, PerRow]", "[PerTensor(), PerRow()]"})
    @Foreign(
            value = {"act_quant_scale", "act_quant_zero_point"},
            why = "calibration finds them",
            harmless = "null")
    @Foreign(value = "reduce_range", why = "the whole range of codes is used", harmless = "false")
    @Foreign(
            value = {"set_inductor_config", "version"},
            why = "it changes no number")
    record Int8StaticActivationInt8Weight(
            @Key(value = "whether activations have a zero point: symmetric or asymmetric", otherwise = "symmetric")
            MappingType actMappingType,

            @Key(
                    value = "`torchao`, with float32 scales; `compressed_tensors`, with scales in the dtype of the"
                            + " weight, which llm-compressor's W8A8 has",
                    otherwise = "torchao")
            Int8DynamicActivationInt8Weight.Int8Numbers numerics,

            @Inline CalibrationConfig calibration,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_VALUES_STOP, otherwise = "closed")
            GradientRule gradientRule)
            implements StaticQuantizer {
        public Int8StaticActivationInt8Weight {
            new Int8DynamicActivationInt8Weight(actMappingType, numerics, layers, gradientRule);
        }

        @Override
        public QuantScheme scheme() {
            return new StaticActivationScheme(
                    new Int8DynamicActivationInt8Weight(actMappingType, numerics, layers, gradientRule).scheme());
        }
    }

    /// compressed-tensors' preset `FP8`, as llm-compressor names it.
    @Component(
            value = "FP8",
            doc = "float8 (e4m3) weights and activations with compressed-tensors' arithmetic, one scale a tensor, of"
                    + " activations a calibrated one")
    record Fp8(
            @Inline CalibrationConfig calibration,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_VALUES_PASS, otherwise = "identity")
            GradientRule gradientRule)
            implements StaticQuantizer {
        @Override
        public QuantScheme scheme() {
            return new StaticActivationScheme(new Float8Scheme(
                    new Granularity.PerTensor(), 0, Float.POSITIVE_INFINITY, false, Numerics.COMPRESSED_TENSORS));
        }
    }
}
