package dev.halftone.kernel;

import dev.halftone.quant.MiniFloat;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// [MiniFloat] in vectors.
final class MiniFloatVectors {
    private static final int SIGN = 0x80000000;
    private static final int EXPONENT = 0x7f800000;

    private MiniFloatVectors() {}

    /// The bits of [MiniFloat#round], in every lane.
    ///
    /// In the sum with a power of two that is as large as 2^23 steps, a step is the last bit of the mantissa:
    /// the sum is rounded to whole steps, half to even, and the difference is exact. A step is the value's own
    /// power of two, taken from its exponent bits, less the mantissa that the format has.
    static FloatVector round(FloatVector v, MiniFloat format) {
        FloatVector magnitude = v.abs().min(format.max());
        IntVector exponents = magnitude.reinterpretAsInts().and(EXPONENT).max((format.minExponent() + 127) << 23);
        FloatVector rounder = exponents.add((23 - format.mantissaBits()) << 23).reinterpretAsFloats();
        IntVector rounded = magnitude.add(rounder).sub(rounder).reinterpretAsInts();
        IntVector sign = v.reinterpretAsInts().and(SIGN);
        return rounded.or(sign).reinterpretAsFloats();
    }
}
