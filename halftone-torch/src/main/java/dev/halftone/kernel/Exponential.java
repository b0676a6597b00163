package dev.halftone.kernel;

import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// `e^x` in float32, to two units in the last place; 0 below -87, `e^88` above 88, NaN for NaN. The same bits for
/// vectors of every width and for single numbers.
///
/// `e^x = 2^n · e^r` with a whole `n` and `|r| ≤ ln 2 / 2`, and Taylor's polynomial of degree 7 for `e^r`: its error
/// is below `r^8 / 8!`, 6e-9.
final class Exponential {
    private static final float SMALLEST = -87;
    private static final float LARGEST = 88;
    private static final float LOG2_E = 0x1.715476p+0f;
    /// ln 2 in two parts, the first of which has few bits: its product with n is exact.
    private static final float LN2_HIGH = 0x1.63p-1f;
    private static final float LN2_LOW = -0x1.bd0106p-13f;
    /// Added and subtracted again, it rounds to integers what is smaller than 2^22. In between the integer stands
    /// in the lowest bits; moved to the exponent's place, it is the power of two.
    private static final float ROUNDER = 0x1.8p23f;
    private static final int EXPONENT = 23;
    private static final int ONE = 0x3f800000;

    private Exponential() {}

    static FloatVector of(FloatVector exponent) {
        FloatVector x = exponent.blend(LARGEST, exponent.compare(GT, LARGEST));
        FloatVector t = x.fma(x.broadcast(LOG2_E), x.broadcast(ROUNDER));
        FloatVector n = t.sub(ROUNDER);
        FloatVector r = n.fma(x.broadcast(-LN2_LOW), n.fma(x.broadcast(-LN2_HIGH), x));
        FloatVector e = r.fma(x.broadcast(1 / 5040f), x.broadcast(1 / 720f));
        e = e.fma(r, x.broadcast(1 / 120f));
        e = e.fma(r, x.broadcast(1 / 24f));
        e = e.fma(r, x.broadcast(1 / 6f));
        e = e.fma(r, x.broadcast(1 / 2f));
        e = e.fma(r, x.broadcast(1));
        e = e.fma(r, x.broadcast(1));
        IntVector power = t.reinterpretAsInts().lanewise(LSHL, EXPONENT).add(ONE);
        return e.mul(power.reinterpretAsFloats()).blend(0, x.compare(LT, SMALLEST));
    }

    static float of(float exponent) {
        float x = exponent > LARGEST ? LARGEST : exponent;
        float t = Math.fma(x, LOG2_E, ROUNDER);
        float n = t - ROUNDER;
        float r = Math.fma(n, -LN2_LOW, Math.fma(n, -LN2_HIGH, x));
        float e = Math.fma(r, 1 / 5040f, 1 / 720f);
        e = Math.fma(e, r, 1 / 120f);
        e = Math.fma(e, r, 1 / 24f);
        e = Math.fma(e, r, 1 / 6f);
        e = Math.fma(e, r, 1 / 2f);
        e = Math.fma(e, r, 1);
        e = Math.fma(e, r, 1);
        int power = (Float.floatToRawIntBits(t) << EXPONENT) + ONE;
        return x < SMALLEST ? 0 : e * Float.intBitsToFloat(power);
    }
}
