package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MiniFloatTest {
    /// The numbers that are not negative, in the order of their codes, from the definition of a float.
    private static List<Float> numbers(MiniFloat format) {
        List<Float> numbers = new ArrayList<>();
        int mantissas = 1 << format.mantissaBits();
        for (int code = 0; code < 1 << (format.bits() - 1); code++) {
            int exponent = code / mantissas;
            double mantissa = (double) (code % mantissas) / mantissas;
            double v = exponent == 0
                    ? mantissa * Math.pow(2, 1 - format.bias())
                    : (1 + mantissa) * Math.pow(2, exponent - format.bias());
            if (v <= format.max()) {
                numbers.add((float) v);
            }
        }
        return numbers;
    }

    @ParameterizedTest
    @EnumSource
    void everyCodeStandsForItsNumberAndEveryNumberHasItsCode(MiniFloat format) {
        List<Float> numbers = numbers(format);
        int sign = 1 << (format.bits() - 1);
        assertThat(numbers.getLast()).isEqualTo(format.max());
        for (int code = 0; code < numbers.size(); code++) {
            float v = numbers.get(code);
            assertThat(format.decode((byte) code)).isEqualTo(v);
            assertThat(format.decode((byte) (code | sign))).isEqualTo(-v);
            assertThat(format.encode(v)).isEqualTo((byte) code);
            assertThat(format.encode(-v)).isEqualTo((byte) (code | sign));
            assertThat(format.round(v)).isEqualTo(v);
            assertThat(format.round(-v)).isEqualTo(-v);
        }
    }

    @ParameterizedTest
    @EnumSource
    void halfwayPointsGoToTheEvenCodeAndTheirNeighboursToTheNearer(MiniFloat format) {
        List<Float> numbers = numbers(format);
        for (int code = 0; code + 1 < numbers.size(); code++) {
            float low = numbers.get(code);
            float high = numbers.get(code + 1);
            float half = (low + high) / 2;
            float even = code % 2 == 0 ? low : high;
            for (int sign : new int[] {1, -1}) {
                assertThat(format.round(sign * half)).isEqualTo(sign * even);
                assertThat(format.round(sign * Math.nextDown(half))).isEqualTo(sign * low);
                assertThat(format.round(sign * Math.nextUp(half))).isEqualTo(sign * high);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void anyFloatGoesToTheNearestNumber(MiniFloat format) {
        List<Float> numbers = numbers(format);
        Random random = new Random(1);
        for (int i = 0; i < 20_000; i++) {
            float v = Float.intBitsToFloat(random.nextInt());
            if (i % 2 == 0) {
                v = (float) (random.nextGaussian() * format.max() * Math.scalb(1f, -random.nextInt(12)));
            }
            if (Float.isNaN(v)) {
                continue;
            }
            double distance = Double.POSITIVE_INFINITY;
            for (float number : numbers) {
                distance = Math.min(distance, Math.abs((double) Math.abs(v) - number));
            }
            assertThat(Math.abs((double) v - format.round(v))).isEqualTo(distance);
            assertThat(format.decode(format.encode(v))).isEqualTo(format.round(v));
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatLiesBeyondTheLargestNumberBecomesIt(MiniFloat format) {
        for (float v : new float[] {Math.nextUp(format.max()), 2 * format.max(), 3e38f, Float.POSITIVE_INFINITY}) {
            assertThat(format.round(v)).isEqualTo(format.max());
            assertThat(format.round(-v)).isEqualTo(-format.max());
            assertThat(format.decode(format.encode(-v))).isEqualTo(-format.max());
        }
    }

    @ParameterizedTest
    @EnumSource
    void zerosKeepTheirSignAndNaNStays(MiniFloat format) {
        assertThat(format.round(-0.0f)).isEqualTo(-0.0f);
        assertThat(format.round(-1e-30f)).isEqualTo(-0.0f);
        assertThat(format.round(Float.MIN_VALUE)).isEqualTo(0.0f);
        assertThat(format.encode(-0.0f)).isEqualTo((byte) (1 << (format.bits() - 1)));
        assertThat(format.round(Float.NaN)).isNaN();
        assertThat(format.encode(Float.NaN)).isEqualTo((byte) (format.hasNaN() ? 0x7f : 0));
    }

    @Test
    void theCodesBeyondTheLargestNumberAreThoseOfTheEightBitFormats() {
        assertThat(MiniFloat.E4M3.decode((byte) 0x7f)).isNaN();
        assertThat(MiniFloat.E4M3.decode((byte) 0xff)).isNaN();
        assertThat(MiniFloat.E5M2.decode((byte) 0x7c)).isEqualTo(Float.POSITIVE_INFINITY);
        assertThat(MiniFloat.E5M2.decode((byte) 0xfc)).isEqualTo(Float.NEGATIVE_INFINITY);
        for (int code : new int[] {0x7d, 0x7e, 0x7f, 0xfd, 0xfe, 0xff}) {
            assertThat(MiniFloat.E5M2.decode((byte) code)).isNaN();
        }
    }

    @Test
    void formatsAreThoseOfTheirSpecifications() {
        assertThat(numbers(MiniFloat.E2M1)).containsExactly(0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f);
        assertThat(MiniFloat.E2M3.decode((byte) 1)).isEqualTo(0.125f);
        assertThat(MiniFloat.E3M2.decode((byte) 1)).isEqualTo(0.0625f);
        assertThat(MiniFloat.E4M3.decode((byte) 1)).isEqualTo(0x1p-9f);
        assertThat(MiniFloat.E5M2.decode((byte) 1)).isEqualTo(0x1p-16f);
        assertThat(MiniFloat.E4M3.minExponent()).isEqualTo(-6);
        assertThat(MiniFloat.E5M2.maxExponent()).isEqualTo(15);
    }
}
