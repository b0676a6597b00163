package dev.halftone.model;

import dev.halftone.nn.Attention;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm.Rounding;
import java.util.List;

/// SmolLM3 (Hugging Face 2025): Llama with some layers, every fourth as a rule, that have no rotary positions.
final class SmolLm3 {
    private static final DecoderConfig.Defaults DEFAULTS =
            new DecoderConfig.Defaults(1e-6, Rounding.BEFORE_WEIGHT, true, 0, 2e6);

    private SmolLm3() {}

    static CausalLm build(ConfigJson json, ParameterSource source) {
        DecoderConfig c = DecoderConfig.read(json, DEFAULTS);
        boolean bias = json.flag("attention_bias", false);
        boolean mlpBias = json.flag("mlp_bias", false);
        if (json.flag("use_sliding_window", false)) {
            throw json.unsupported("use_sliding_window", "false");
        }
        boolean[] rotated = rotated(json, c.layers());
        return new CausalLm(c, source, (i, layer) -> {
            Attention attention = new Attention(
                    c.geometry(i, rotated[i] ? c.rope() : null, AttentionContext.UNBOUNDED),
                    c.projections(layer, bias, bias),
                    null);
            return new PreNormLayer(c, layer, attention, c.mlp(layer, mlpBias));
        });
    }

    /// Which layers have rotary positions. Despite its name, `no_rope_layers` has a 1 for each that has.
    private static boolean[] rotated(ConfigJson json, int layers) {
        int interval = json.size("no_rope_layer_interval", 4);
        List<Integer> stated = json.counts("no_rope_layers", layers);
        boolean[] rotated = new boolean[layers];
        for (int i = 0; i < layers; i++) {
            rotated[i] = stated.isEmpty() ? (i + 1) % interval != 0 : stated.get(i) != 0;
        }
        return rotated;
    }
}
