package dev.halftone.model;

import dev.halftone.nn.Attention;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm.Rounding;

/// Qwen 2 and 2.5 (Yang et al. 2024): Llama with biases on queries, keys and values. Qwen 3 (2025): with norms on the
/// queries and keys of each head instead. Both may have a sliding window in their later layers.
final class Qwen {
    private static final DecoderConfig.Defaults QWEN3 =
            new DecoderConfig.Defaults(1e-6, Rounding.BEFORE_WEIGHT, false, 128, 10000);

    private Qwen() {}

    static CausalLm build2(ConfigJson json, ParameterSource source) {
        DecoderConfig c = DecoderConfig.read(json, DecoderConfig.Defaults.LLAMA);
        int[] windows = Windows.ofLaterLayers(json, c.layers());
        return new CausalLm(c, source, (i, layer) -> {
            Attention attention =
                    new Attention(c.geometry(i, c.rope(), windows[i]), c.projections(layer, true, false), null);
            return new PreNormLayer(c, layer, attention, c.mlp(layer, false));
        });
    }

    static CausalLm build3(ConfigJson json, ParameterSource source) {
        DecoderConfig c = DecoderConfig.read(json, QWEN3);
        int[] windows = Windows.ofLaterLayers(json, c.layers());
        boolean bias = json.flag("attention_bias", false);
        return new CausalLm(c, source, (i, layer) -> {
            ParameterSource norms = layer.at("self_attn");
            Attention attention = new Attention(
                    c.geometry(i, c.rope(), windows[i]),
                    c.projections(layer, bias, bias),
                    new Attention.Norms(
                            c.norm(norms.at("q_norm"), c.headDim()), c.norm(norms.at("k_norm"), c.headDim())));
            return new PreNormLayer(c, layer, attention, c.mlp(layer, false));
        });
    }
}
