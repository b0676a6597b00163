package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExponentialTest {
    @Test
    void itIsExact() {
        for (float x = -86.9f; x < 88; x += 0.0137f) {
            double exact = Math.exp(x);
            assertThat((double) vector(x)).isCloseTo(exact, within(2.0 * Math.ulp((float) exact)));
        }
    }

    @ParameterizedTest
    @ValueSource(
            floats = {
                0,
                -0f,
                1,
                -1,
                87.99f,
                88,
                1e30f,
                Float.POSITIVE_INFINITY,
                -87,
                -87.01f,
                -1e30f,
                Float.NEGATIVE_INFINITY,
                Float.NaN,
                1e-40f,
                0.34657f,
                -0.34658f
            })
    void vectorsAndSingleNumbersAgree(float x) {
        assertThat(Float.floatToIntBits(vector(x))).isEqualTo(Float.floatToIntBits(Exponential.of(x)));
    }

    @Test
    void outsideItSaturates() {
        assertThat(vector(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(vector(-87.01f)).isZero();
        assertThat(vector(Float.POSITIVE_INFINITY)).isEqualTo(vector(88));
        assertThat(vector(Float.NaN)).isNaN();
        assertThat(vector(0)).isEqualTo(1);
    }

    private static float vector(float x) {
        return Exponential.of(FloatVector.broadcast(FloatVector.SPECIES_PREFERRED, x))
                .lane(0);
    }
}
