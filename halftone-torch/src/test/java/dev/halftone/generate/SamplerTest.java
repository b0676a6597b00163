package dev.halftone.generate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.RunException;
import org.junit.jupiter.api.Test;

class SamplerTest {
    /// Probabilities 0.1, 0.2, 0.4, 0.3 at temperature 1.
    private static final float[] LOGITS = {
        (float) Math.log(1), (float) Math.log(2), (float) Math.log(4), (float) Math.log(3)
    };

    private static final int DRAWS = 20000;

    private static double[] frequencies(Sampling sampling) {
        Sampler sampler = new Sampler(sampling);
        double[] frequencies = new double[LOGITS.length];
        for (int i = 0; i < DRAWS; i++) {
            frequencies[sampler.next(LOGITS)] += 1.0 / DRAWS;
        }
        return frequencies;
    }

    @Test
    void drawsAreByProbability() {
        assertThat(frequencies(new Sampling(1, Sampling.ALL, 1, 5)))
                .containsExactly(new double[] {0.1, 0.2, 0.4, 0.3}, within(0.015));
    }

    @Test
    void theTemperatureDividesTheLogits() {
        // Squared and normalised again.
        assertThat(frequencies(new Sampling(0.5, Sampling.ALL, 1, 5)))
                .containsExactly(new double[] {1 / 30.0, 4 / 30.0, 16 / 30.0, 9 / 30.0}, within(0.015));
    }

    @Test
    void topKKeepsTheLikeliest() {
        assertThat(frequencies(new Sampling(1, 2, 1, 5)))
                .containsExactly(new double[] {0, 0, 4 / 7.0, 3 / 7.0}, within(0.015));
    }

    @Test
    void topPKeepsTheLikeliestThatAreNeeded() {
        assertThat(frequencies(new Sampling(1, Sampling.ALL, 0.65, 5)))
                .containsExactly(new double[] {0, 0, 4 / 7.0, 3 / 7.0}, within(0.015));
        assertThat(frequencies(new Sampling(1, Sampling.ALL, 0.75, 5)))
                .containsExactly(new double[] {0, 2 / 9.0, 4 / 9.0, 3 / 9.0}, within(0.015));
        assertThat(frequencies(new Sampling(1, Sampling.ALL, 1e-9, 5))[2]).isEqualTo(1, within(1e-9));
    }

    @Test
    void aTemperatureOfZeroTakesTheLikeliestAndOfEqualsTheFirst() {
        assertThat(new Sampler(Sampling.GREEDY).next(new float[] {-1, 3, 3, 2})).isEqualTo(1);
        assertThat(new Sampler(new Sampling(1, 1, 1, 0)).next(new float[] {-1, 3, 3, 2}))
                .isEqualTo(1);
        assertThat(new Sampler(new Sampling(1, 1, 1, 0)).next(new float[] {-4, -3, -0f, 0f, -2}))
                .isEqualTo(2);
    }

    @Test
    void theSameSeedDrawsTheSame() {
        Sampler a = new Sampler(new Sampling(1, Sampling.ALL, 1, 9));
        Sampler b = new Sampler(new Sampling(1, Sampling.ALL, 1, 9));
        int[] drawn = new int[12];
        for (int i = 0; i < drawn.length; i++) {
            drawn[i] = a.next(LOGITS);
            assertThat(b.next(LOGITS)).isEqualTo(drawn[i]);
        }
        // What SplitMix64 with seed 9 gives, computed apart.
        assertThat(drawn).containsExactly(3, 1, 2, 1, 2, 2, 3, 0, 2, 1, 3, 2);
    }

    @Test
    void aLogitThatIsNoNumberIsAFailure() {
        float[] broken = {1, Float.NaN};
        assertThatThrownBy(() -> new Sampler(Sampling.GREEDY).next(broken)).isInstanceOf(RunException.class);
        assertThatThrownBy(() -> new Sampler(new Sampling(1, 5, 1, 0)).next(broken))
                .isInstanceOf(RunException.class);
    }
}
