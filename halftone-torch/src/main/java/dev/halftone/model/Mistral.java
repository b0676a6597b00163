package dev.halftone.model;

import dev.halftone.nn.Attention;
import dev.halftone.nn.ParameterSource;

/// Mistral (Jiang et al. 2023): Llama with a sliding window in every layer.
final class Mistral {
    private static final int WINDOW = 4096;

    private Mistral() {}

    static CausalLm build(ConfigJson json, ParameterSource source) {
        DecoderConfig c = DecoderConfig.read(json, DecoderConfig.Defaults.LLAMA);
        int window = Windows.size(json, WINDOW);
        return new CausalLm(c, source, (i, layer) -> {
            Attention attention =
                    new Attention(c.geometry(i, c.rope(), window), c.projections(layer, false, false), null);
            return new PreNormLayer(c, layer, attention, c.mlp(layer, false));
        });
    }
}
