package dev.halftone.model;

import dev.halftone.nn.Attention;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm.Rounding;

/// OLMo 2 (OLMo team 2024): norms after attention and MLP instead of before, and over all queries and all keys.
final class Olmo2 {
    private static final DecoderConfig.Defaults DEFAULTS =
            new DecoderConfig.Defaults(1e-5, Rounding.AFTER_WEIGHT, false, 0, 10000);

    private Olmo2() {}

    static CausalLm build(ConfigJson json, ParameterSource source) {
        DecoderConfig c = DecoderConfig.read(json, DEFAULTS);
        boolean bias = json.flag("attention_bias", false);
        return new CausalLm(c, source, (i, layer) -> {
            ParameterSource norms = layer.at("self_attn");
            Attention attention = new Attention(
                    c.geometry(i),
                    c.projections(layer, bias, bias),
                    new Attention.Norms(
                            c.norm(norms.at("q_norm"), c.heads() * c.headDim()),
                            c.norm(norms.at("k_norm"), c.kvHeads() * c.headDim())));
            return new PostNormLayer(c, layer, attention, c.mlp(layer, false));
        });
    }
}
