package dev.halftone.generate;

import dev.halftone.RunException;
import java.util.Arrays;
import java.util.SplittableRandom;

/// Draws tokens from logits, by the rules of [Sampling].
///
/// Each draw takes one uniform number in [0, 1) from SplitMix64 ([SplittableRandom]), and walks down the tokens
/// from the likeliest (of equals, the lowest id first) until their probabilities sum to more than that number.
/// Probabilities and sums are float64. Same seed and same logits, same tokens.
public final class Sampler {
    private final Sampling sampling;
    private final SplittableRandom random;

    public Sampler(Sampling sampling) {
        this.sampling = sampling;
        random = new SplittableRandom(sampling.seed());
    }

    /// @param logits one for each token of the vocabulary
    /// @return a token id
    /// @throws RunException if a logit is not a number
    public int next(float[] logits) {
        return sampling.temperature() == 0 ? likeliest(logits) : drawn(logits);
    }

    private static int likeliest(float[] logits) {
        int best = 0;
        for (int i = 0; i < logits.length; i++) {
            check(logits[i]);
            best = logits[i] > logits[best] ? i : best;
        }
        return best;
    }

    private int drawn(float[] logits) {
        int[] tokens = descending(logits);
        int kept = Math.min(sampling.topK(), tokens.length);
        double[] weights = new double[kept];
        double total = 0;
        for (int i = 0; i < kept; i++) {
            weights[i] = Math.exp((logits[tokens[i]] - (double) logits[tokens[0]]) / sampling.temperature());
            total += weights[i];
        }
        if (sampling.topP() < 1) {
            double enough = sampling.topP() * total;
            total = 0;
            kept = 0;
            while (kept < weights.length && total < enough) {
                total += weights[kept++];
            }
        }
        double left = random.nextDouble() * total;
        for (int i = 0; i < kept; i++) {
            left -= weights[i];
            if (left < 0) {
                return tokens[i];
            }
        }
        return tokens[kept - 1];
    }

    /// Token ids from the likeliest down, equals by their id.
    private static int[] descending(float[] logits) {
        long[] keys = new long[logits.length];
        for (int i = 0; i < logits.length; i++) {
            check(logits[i]);
            // Adding 0 makes -0 and 0 equal. Flipped so, the bits of floats are ordered as integers, here descending.
            int bits = Float.floatToRawIntBits(logits[i] + 0f);
            int descending = bits < 0 ? bits & Integer.MAX_VALUE : ~bits;
            keys[i] = (long) descending << Integer.SIZE | i;
        }
        Arrays.sort(keys);
        return Arrays.stream(keys).mapToInt(key -> (int) key).toArray();
    }

    private static void check(float logit) {
        if (Float.isNaN(logit)) {
            throw new RunException(
                    "The model computed logits that are not numbers. Check its weights with `halftone inspect`, or use dtype=fp32.");
        }
    }
}
