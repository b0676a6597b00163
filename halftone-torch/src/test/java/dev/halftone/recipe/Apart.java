package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

/// How far what we compute is from what another program computes.
final class Apart {
    private Apart() {}

    /// Largest difference, relative to the largest magnitude.
    static double of(float[] expected, float[] actual) {
        assertThat(actual).hasSameSizeAs(expected);
        double largest = 0;
        double apart = 0;
        for (int i = 0; i < expected.length; i++) {
            assertThat(actual[i]).isNotNaN();
            largest = Math.max(largest, Math.abs(expected[i]));
            apart = Math.max(apart, Math.abs(expected[i] - actual[i]));
        }
        return apart / largest;
    }
}
