package dev.halftone.quant;

import dev.halftone.InputException;

/// How the range of a layer's inputs is found from those that it sees: [RangeObserver].
///
/// @param percentile above 0, at most 100; what [Method#PERCENTILE] takes
public record Calibration(Method method, double percentile) {
    /// What the range is.
    public enum Method {
        /// From the smallest value to the largest.
        MINMAX,
        /// What a share of all magnitudes lies in.
        PERCENTILE,
        /// What leaves the smallest squared error.
        MSE
    }

    /// From the smallest value to the largest.
    public static final Calibration MINMAX = new Calibration(Method.MINMAX, 100);

    public Calibration {
        if (!(percentile > 0 && percentile <= 100)) {
            throw new InputException(
                    "calibration_percentile: %s is not above 0 and at most 100. Use a number such as 99.99."
                            .formatted(percentile));
        }
    }
}
