package dev.halftone.generate;

/// How the next token is drawn from a model's logits.
///
/// The logits are divided by `temperature`; of the tokens, the `topK` likeliest stay; of those, the likeliest that
/// are needed for a probability of `topP` stay, at least one; among them the draw is by probability. This is the
/// order of transformers 5 (`TemperatureLogitsWarper`, `TopKLogitsWarper`, `TopPLogitsWarper`).
///
/// @param temperature 0 always takes the likeliest token, and then nothing else here matters
/// @param topK tokens that may be drawn; [#ALL] for no limit
/// @param topP probability from which on further tokens are left out, in (0, 1]; 1 for no limit
/// @param seed what the draws come from
public record Sampling(double temperature, int topK, double topP, long seed) {
    /// No limit on the number of tokens that may be drawn.
    public static final int ALL = Integer.MAX_VALUE;

    /// Always the likeliest token; of equals, the one with the lowest id.
    public static final Sampling GREEDY = new Sampling(0, ALL, 1, 0);

    public Sampling {
        if (!(temperature >= 0) || topK < 1 || !(topP > 0 && topP <= 1)) {
            throw new IllegalArgumentException("temperature %s, top_k %d, top_p %s".formatted(temperature, topK, topP));
        }
    }
}
