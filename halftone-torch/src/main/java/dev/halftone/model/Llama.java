package dev.halftone.model;

import dev.halftone.nn.Attention;
import dev.halftone.nn.ParameterSource;

/// Llama (Touvron et al. 2023; Grattafiori et al. 2024), and what shares its architecture, SmolLM2 among them.
final class Llama {
    private Llama() {}

    static CausalLm build(ConfigJson json, ParameterSource source) {
        DecoderConfig c = DecoderConfig.read(json, DecoderConfig.Defaults.LLAMA);
        boolean bias = json.flag("attention_bias", false);
        boolean mlpBias = json.flag("mlp_bias", false);
        return new CausalLm(c, source, (i, layer) -> {
            Attention attention = new Attention(c.geometry(i), c.projections(layer, bias, bias), null);
            return new PreNormLayer(c, layer, attention, c.mlp(layer, mlpBias));
        });
    }
}
