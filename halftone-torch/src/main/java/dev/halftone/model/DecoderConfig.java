package dev.halftone.model;

import dev.halftone.nn.Attention;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.GatedMlp;
import dev.halftone.nn.Linear;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm;
import dev.halftone.nn.RmsNorm.Rounding;
import dev.halftone.nn.RotaryEmbedding;
import org.jspecify.annotations.Nullable;

/// What every family of decoder-only models has in common, as its `config.json` states it, and the parts of a layer
/// that follow from it.
///
/// @param vocabSize rows of the embedding table and of the head
/// @param width features of the residual stream (`hidden_size`)
/// @param innerWidth features inside the MLP (`intermediate_size`)
/// @param layers number of layers
/// @param heads query heads
/// @param kvHeads key and value heads, a divisor of `heads`
/// @param headDim features of a head, even
/// @param maxPositions longest context that the model is meant for
/// @param normEps epsilon of the norms
/// @param normRounding where norms round
/// @param tied whether the head is the embedding table
/// @param rope rotary embedding of the layers that have one
public record DecoderConfig(
        int vocabSize,
        int width,
        int innerWidth,
        int layers,
        int heads,
        int kvHeads,
        int headDim,
        int maxPositions,
        double normEps,
        Rounding normRounding,
        boolean tied,
        RotaryEmbedding rope) {

    /// What a family takes where its `config.json` states nothing.
    ///
    /// @param headDim 0 for `hidden_size / num_attention_heads`
    record Defaults(double normEps, Rounding normRounding, boolean tied, int headDim, double theta) {
        /// Those of Llama, and of most others.
        static final Defaults LLAMA = new Defaults(1e-6, Rounding.BEFORE_WEIGHT, false, 0, 10000);
    }

    static DecoderConfig read(ConfigJson json, Defaults defaults) {
        int width = json.size("hidden_size");
        int heads = json.size("num_attention_heads");
        int kvHeads = json.size("num_key_value_heads", heads);
        if (heads % kvHeads != 0) {
            throw json.wrong("num_attention_heads %d is not a multiple of num_key_value_heads %d. Correct one of them."
                    .formatted(heads, kvHeads));
        }
        if (!json.text("hidden_act", "silu").equals("silu")) {
            throw json.unsupported("hidden_act", "silu");
        }
        int headDim = headDim(json, width, heads, defaults);
        int maxPositions = json.size("max_position_embeddings", 2048);
        return new DecoderConfig(
                json.size("vocab_size"),
                width,
                json.size("intermediate_size"),
                json.size("num_hidden_layers"),
                heads,
                kvHeads,
                headDim,
                maxPositions,
                json.number("rms_norm_eps", defaults.normEps),
                defaults.normRounding,
                json.flag("tie_word_embeddings", defaults.tied),
                RopeJson.read(json, headDim, maxPositions, defaults.theta));
    }

    private static int headDim(ConfigJson json, int width, int heads, Defaults defaults) {
        boolean stated = json.has("head_dim") || defaults.headDim > 0;
        if (!stated && width % heads != 0) {
            throw json.wrong(
                    "hidden_size %d is not divisible by num_attention_heads %d. State head_dim if that is meant."
                            .formatted(width, heads));
        }
        int headDim = json.size("head_dim", defaults.headDim > 0 ? defaults.headDim : Math.max(1, width / heads));
        if (headDim % 2 != 0) {
            throw json.unsupported("head_dim", "even numbers, since rotary positions turn pairs of features");
        }
        return headDim;
    }

    /// Attention over everything before, with rotary positions.
    Attention.Geometry geometry(int layer) {
        return geometry(layer, rope, AttentionContext.UNBOUNDED);
    }

    /// @param window tokens that a query sees, itself included
    Attention.Geometry geometry(int layer, @Nullable RotaryEmbedding rope, int window) {
        return new Attention.Geometry(layer, heads, kvHeads, headDim, rope, window);
    }

    /// @param layer source of the layer's weights
    Attention.Projections projections(ParameterSource layer, boolean inputBias, boolean outputBias) {
        ParameterSource source = layer.at("self_attn");
        return new Attention.Projections(
                Linear.of(source.at("q_proj"), width, (long) heads * headDim, inputBias),
                Linear.of(source.at("k_proj"), width, (long) kvHeads * headDim, inputBias),
                Linear.of(source.at("v_proj"), width, (long) kvHeads * headDim, inputBias),
                Linear.of(source.at("o_proj"), (long) heads * headDim, width, outputBias));
    }

    /// @param layer source of the layer's weights
    GatedMlp mlp(ParameterSource layer, boolean bias) {
        return new GatedMlp(layer.at("mlp"), width, innerWidth, bias);
    }

    /// A norm over the residual stream.
    RmsNorm norm(ParameterSource source) {
        return norm(source, width);
    }

    RmsNorm norm(ParameterSource source, int features) {
        return new RmsNorm(source.parameter("weight", features), normEps, normRounding);
    }
}
