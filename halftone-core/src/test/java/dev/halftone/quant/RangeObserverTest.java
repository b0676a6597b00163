package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.Calibration.Method;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RangeObserverTest {
    private static final Grid INT8 = new StaticActivationScheme(new Int8Scheme(false)).activations(DType.F32);
    private static final Grid UNEVEN = new StaticActivationScheme(new Int8Scheme(true)).activations(DType.F32);
    private static final int N = 20_000;

    @ParameterizedTest
    @EnumSource(Method.class)
    void neitherTheOrderNorTheBatchesOfValuesMatter(Method method) {
        float[] values = heavyTailed();
        float[] sorted = values.clone();
        Arrays.sort(sorted);
        Calibration how = new Calibration(method, 99.9);
        assertThat(scale(how, INT8, sorted)).isEqualTo(scale(how, INT8, values));
        assertThat(scale(how, INT8, Arrays.copyOf(values, 7), Arrays.copyOfRange(values, 7, N)))
                .isEqualTo(scale(how, INT8, values));
    }

    @Test
    void minmaxIsTheScaleOfTheWholeTensor() {
        float[] values = heavyTailed();
        for (Grid grid : new Grid[] {INT8, UNEVEN}) {
            Oracle.Codes chosen = grid.oracle().quantize(values, N);
            InputScale found = scale(Calibration.MINMAX, grid, values);
            assertThat(found.scale()).isEqualTo(chosen.scales()[0]);
            assertThat((float) found.zeroPoint()).isEqualTo(chosen.zeroPoints() == null ? 0 : chosen.zeroPoints()[0]);
        }
    }

    /// To the width of a bin, a 4096th of the power of two above the largest magnitude.
    @ParameterizedTest
    @ValueSource(doubles = {50, 99, 99.9, 100})
    void aPercentileIsThatOfTheSortedMagnitudes(double percent) {
        float[] values = heavyTailed();
        float[] magnitudes = new float[N];
        for (int i = 0; i < N; i++) {
            magnitudes[i] = Math.abs(values[i]);
        }
        Arrays.sort(magnitudes);
        float exact = magnitudes[(int) Math.ceil(percent / 100 * N) - 1];
        float bin = Math.scalb(1f, Math.getExponent(magnitudes[N - 1]) + 1) / 4096;
        float found =
                scale(new Calibration(Method.PERCENTILE, percent), INT8, values).scale() * 127.5f;
        assertThat(found).isCloseTo(exact, within(bin * 1.01f));
    }

    @Test
    void mseCutsAnOutlierAndLeavesTheLeastErrorOfItsCandidates() {
        float[] values = heavyTailed();
        double largest = 0;
        for (float v : values) {
            largest = Math.max(largest, Math.abs(v));
        }
        InputScale found = scale(new Calibration(Method.MSE, 100), INT8, values);
        double least = error(found, values);
        assertThat(least).isLessThan(0.97 * error(scale(Calibration.MINMAX, INT8, values), values));
        for (int k = 1; k <= 100; k++) {
            float a = (float) (largest * k / 100);
            // Bins are not values: the best by one is the best by the other up to a per cent.
            assertThat(error(InputScale.of(INT8, -a, a), values)).isGreaterThan(0.99 * least);
        }
    }

    @Test
    void valuesThatAreNoNumbersAreSeen() {
        RangeObserver range = new RangeObserver(new Calibration(Method.MSE, 100));
        range.observe(new float[] {1, Float.NaN, 2});
        assertThat(range.finite()).isFalse();
        assertThat(range.seen()).isEqualTo(3);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, -1, 100.1, Double.NaN})
    void aPercentileIsAboveZeroAndAtMostAHundred(double percent) {
        assertThatThrownBy(() -> new Calibration(Method.PERCENTILE, percent)).isInstanceOf(InputException.class);
    }

    private static double error(InputScale scale, float[] values) {
        float[] quantized = new StaticGrid(INT8, scale).oracle().fakeQuantize(values, N);
        double sum = 0;
        for (int i = 0; i < N; i++) {
            sum += Math.pow((double) quantized[i] - values[i], 2);
        }
        return sum;
    }

    private static InputScale scale(Calibration how, Grid grid, float[]... batches) {
        RangeObserver range = new RangeObserver(how);
        for (float[] batch : batches) {
            range.observe(batch);
        }
        return range.scale(grid, grid);
    }

    /// A normal distribution about 0.1, and two values far out.
    private static float[] heavyTailed() {
        Random random = new Random(5);
        float[] values = new float[N];
        for (int i = 0; i < N; i++) {
            values[i] = (float) random.nextGaussian() + 0.1f;
        }
        values[N / 2] = 30;
        values[N / 3] = -21;
        return values;
    }
}
