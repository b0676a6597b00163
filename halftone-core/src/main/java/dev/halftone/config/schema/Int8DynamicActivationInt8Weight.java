package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.QuantScheme;

/// torchao's `Int8DynamicActivationInt8WeightConfig`, and compressed-tensors' `W8A8`.
@Component(
        value = "Int8DynamicActivationInt8WeightConfig",
        doc = "int8 weights per output channel and int8 activations per token, on the fly (W8A8)")
@Foreign(
        value = "granularity",
        why = "a weight has a scale an output channel, an activation one a token",
        harmless = {"PerRow", "PerRow()"})
@Foreign(
        value = {"weight_only_decode", "reduce_range"},
        why = "activations are always quantized, to the whole range",
        harmless = "false")
@Foreign(value = "version", why = "these are the numbers of version 2", harmless = "2")
@Foreign(value = "set_inductor_config", why = "it changes no number")
public record Int8DynamicActivationInt8Weight(
        @Key(value = "whether activations have a zero point: symmetric or asymmetric", otherwise = "symmetric")
        MappingType actMappingType,

        @Key(
                value = "`torchao`, with float32 scales; `compressed_tensors`, with scales in the dtype of the"
                        + " weight, which llm-compressor's W8A8 has",
                otherwise = "torchao")
        Int8Numbers numerics,

        @Inline LayerSelection layers,

        @Key(value = Docs.CLAMPED_WEIGHTS, otherwise = "closed")
        GradientRule gradientRule)
        implements QuantizerConfig.OneScheme {
    /// The choices of `numerics`.
    public enum Int8Numbers {
        TORCHAO,
        COMPRESSED_TENSORS
    }

    public Int8DynamicActivationInt8Weight {
        if (numerics == Int8Numbers.COMPRESSED_TENSORS && actMappingType == MappingType.ASYMMETRIC) {
            throw new InputException(
                    "act_mapping_type: compressed-tensors' W8A8 has symmetric activations. Use symmetric.");
        }
    }

    @Override
    public QuantScheme scheme() {
        return switch (numerics) {
            case TORCHAO -> new Int8Scheme(actMappingType == MappingType.ASYMMETRIC);
            case COMPRESSED_TENSORS -> CompressedIntScheme.w8a8();
        };
    }
}
