package dev.halftone.model;

import dev.halftone.nn.RopeScaling;
import dev.halftone.nn.RotaryEmbedding;

/// Reads rotary positions from `config.json` in both layouts in use: `rope_theta` beside `rope_scaling`
/// (transformers 4), and `rope_parameters` with the base inside (transformers 5).
final class RopeJson {
    private RopeJson() {}

    /// @param fallback base of the frequencies where none is stated
    static RotaryEmbedding read(ConfigJson json, int headDim, int maxPositions, double fallback) {
        ConfigJson rope = json.object("rope_parameters");
        if (rope == null) {
            rope = json.object("rope_scaling");
        }
        double theta = json.number("rope_theta", fallback);
        if (rope == null) {
            return new RotaryEmbedding(theta, headDim, new RopeScaling.None());
        }
        if (rope.has("full_attention") || rope.has("sliding_attention")) {
            throw rope.wrong(
                    "rotary positions that differ by the type of the layer are not supported for this model_type.");
        }
        if (rope.number("partial_rotary_factor", json.number("partial_rotary_factor", 1)) != 1) {
            throw rope.wrong("partial_rotary_factor is not supported, except 1.");
        }
        return new RotaryEmbedding(rope.number("rope_theta", theta), headDim, scaling(rope, maxPositions));
    }

    private static RopeScaling scaling(ConfigJson rope, int maxPositions) {
        String key = rope.has("rope_type") ? "rope_type" : "type";
        return switch (rope.text(key, "default")) {
            case "default" -> new RopeScaling.None();
            case "linear" -> new RopeScaling.Linear(rope.number("factor"));
            case "llama3" ->
                new RopeScaling.Llama3(
                        rope.number("factor"),
                        rope.number("low_freq_factor"),
                        rope.number("high_freq_factor"),
                        rope.number("original_max_position_embeddings", maxPositions));
            case "yarn" -> yarn(rope, maxPositions);
            default -> throw rope.unsupported(key, "default, linear, llama3, yarn");
        };
    }

    private static RopeScaling yarn(ConfigJson rope, int maxPositions) {
        double original = rope.number("original_max_position_embeddings", maxPositions);
        double factor = rope.number("factor", maxPositions / original);
        double magnitude = RopeScaling.Yarn.magnitude(factor, 1);
        if (rope.has("mscale") && rope.has("mscale_all_dim")) {
            magnitude = RopeScaling.Yarn.magnitude(factor, rope.number("mscale"))
                    / RopeScaling.Yarn.magnitude(factor, rope.number("mscale_all_dim"));
        }
        return new RopeScaling.Yarn(
                factor,
                original,
                rope.number("beta_fast", 32),
                rope.number("beta_slow", 1),
                rope.number("attention_factor", magnitude),
                rope.flag("truncate", true));
    }
}
