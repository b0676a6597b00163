package dev.halftone.nn;

/// How a model's rotary frequencies were stretched to reach contexts longer than those it was pre-trained on.
///
/// Every variant starts from `f_i = theta^(-2i/d)` for `i < d/2`. Formulas as in transformers 5,
/// `modeling_rope_utils.py`.
public sealed interface RopeScaling {
    /// No stretching.
    record None() implements RopeScaling {}

    /// `f_i / factor`: positions are interpolated.
    record Linear(double factor) implements RopeScaling {}

    /// Llama 3.1: long waves are interpolated, short ones kept, those between blended.
    ///
    /// @param lowFreqFactor waves longer than `originalContext / lowFreqFactor` are divided by `factor`
    /// @param highFreqFactor waves shorter than `originalContext / highFreqFactor` are kept
    /// @param originalContext positions that the model was pre-trained on
    record Llama3(double factor, double lowFreqFactor, double highFreqFactor, double originalContext)
            implements RopeScaling {}

    /// YaRN (Peng et al. 2023): interpolation ramped over the dimensions, between those that turn `betaFast` times
    /// and those that turn `betaSlow` times over the original context, and cosines and sines multiplied by
    /// `attentionFactor`.
    ///
    /// @param truncate whether the ends of the ramp are rounded outwards to whole dimensions
    record Yarn(
            double factor,
            double originalContext,
            double betaFast,
            double betaSlow,
            double attentionFactor,
            boolean truncate)
            implements RopeScaling {
        /// The factor on cosines and sines that the paper recommends: `0.1 · mscale · ln(factor) + 1`.
        public static double magnitude(double factor, double mscale) {
            return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
        }
    }

    /// Angle per position of each pair of features.
    ///
    /// @param dim features that are rotated, even
    /// @return `dim / 2` frequencies, radians per position
    default float[] frequencies(double theta, int dim) {
        float[] f = new float[dim / 2];
        for (int i = 0; i < f.length; i++) {
            double plain = Math.pow(theta, -2.0 * i / dim);
            f[i] = (float)
                    switch (this) {
                        case None _ -> plain;
                        case Linear(double factor) -> plain / factor;
                        case Llama3 s -> llama3(s, plain);
                        case Yarn s -> plain * yarnShare(s, theta, dim, i);
                    };
        }
        return f;
    }

    /// What cosines and sines are multiplied by.
    default double magnitude() {
        return switch (this) {
            case None _, Linear _, Llama3 _ -> 1;
            case Yarn s -> s.attentionFactor;
        };
    }

    private static double llama3(Llama3 s, double f) {
        double turns = s.originalContext * f / (2 * Math.PI);
        double kept = Math.clamp((turns - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor), 0, 1);
        return kept * f + (1 - kept) * f / s.factor;
    }

    /// What of the plain frequency of pair `i` is left.
    private static double yarnShare(Yarn s, double theta, int dim, int i) {
        double low = pairThatTurns(s.betaFast, s, theta, dim);
        double high = pairThatTurns(s.betaSlow, s, theta, dim);
        if (s.truncate) {
            low = Math.floor(low);
            high = Math.ceil(high);
        }
        low = Math.max(low, 0);
        high = Math.min(high, dim - 1);
        double ramp = Math.clamp((i - low) / (high == low ? 0.001 : high - low), 0, 1);
        return ramp / s.factor + 1 - ramp;
    }

    /// The (fractional) index of the pair that makes this many full turns over the original context.
    private static double pairThatTurns(double turns, Yarn s, double theta, int dim) {
        return dim * Math.log(s.originalContext / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }
}
