package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;

/// Weights as llama.cpp stores them.
@Component(value = "GGUFWeightOnlyConfig", doc = "weights in a block type of GGUF files, activations in float")
public record GgufWeightOnly(
        @Key("block type of the file that the model is to become")
        GgufLattice type,

        @Inline LayerSelection layers,

        @Key(value = Docs.CLAMPED_WEIGHTS_PASS, otherwise = "identity")
        GradientRule gradientRule)
        implements QuantizerConfig.OneScheme {
    @Override
    public QuantScheme scheme() {
        return new GgufScheme(type);
    }
}
