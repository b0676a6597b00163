package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Inline;
import dev.halftone.config.Key;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;

/// Weights as llama.cpp stores them.
public sealed interface GgufQuantizer extends QuantizerConfig.OneScheme {
    /// Inputs in float.
    @Component(value = "GGUFWeightOnlyConfig", doc = "weights in a block type of GGUF files, activations in float")
    record GgufWeightOnly(
            @Key(Docs.GGUF_TYPE) GgufLattice type,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS_PASS, otherwise = "identity")
            GradientRule gradientRule)
            implements GgufQuantizer {
        @Override
        public QuantScheme scheme() {
            return new GgufScheme(type, false);
        }
    }

    /// Inputs as llama.cpp rounds them on a CPU.
    @Component(
            value = "Int8DynamicActivationGGUFWeightConfig",
            doc = "weights in a block type of GGUF files, and activations in the 8-bit blocks that llama.cpp rounds"
                    + " them to on a CPU: Q8_0, for tq1_0 and tq2_0 Q8_K")
    record Int8DynamicActivationGgufWeight(
            @Key(Docs.GGUF_TYPE) GgufLattice type,

            @Inline LayerSelection layers,

            @Key(value = Docs.CLAMPED_WEIGHTS_PASS, otherwise = "identity")
            GradientRule gradientRule)
            implements GgufQuantizer {
        @Override
        public QuantScheme scheme() {
            return new GgufScheme(type, true);
        }
    }
}
