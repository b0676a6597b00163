package dev.halftone.quant;

/// The small floating point formats: a sign, two to five bits of exponent, one to three of mantissa, and numbers below
/// the smallest normal one.
///
/// The 4-bit and 6-bit formats have neither infinity nor NaN (OCP Microscaling Formats v1.0, section 5.3). The 8-bit
/// ones are torch's `float8_e4m3fn`, which has a NaN for each sign and no infinity, and `float8_e5m2`, which has
/// both (OCP 8-bit Floating Point Specification v1.0).
public enum MiniFloat {
    /// fp4: 0, 0.5, 1, 1.5, 2, 3, 4, 6.
    E2M1(2, 1, 6),
    /// fp6 with the finer mantissa.
    E2M3(2, 3, 7.5f),
    /// fp6 with the wider range.
    E3M2(3, 2, 28),
    /// fp8 with the finer mantissa. All ones is NaN, so that the largest number is 448, not 480.
    E4M3(4, 3, 448),
    /// fp8 with the wider range: the upper half of a float16.
    E5M2(5, 2, 57344);

    private static final int MANTISSA_BITS_F32 = 23;
    private static final int BIAS_F32 = 127;

    private final int exponentBits;
    private final int mantissaBits;
    private final float max;

    MiniFloat(int exponentBits, int mantissaBits, float max) {
        this.exponentBits = exponentBits;
        this.mantissaBits = mantissaBits;
        this.max = max;
    }

    public int exponentBits() {
        return exponentBits;
    }

    public int mantissaBits() {
        return mantissaBits;
    }

    /// Bits of a code: sign, exponent and mantissa.
    public int bits() {
        return 1 + exponentBits + mantissaBits;
    }

    /// What is added to an exponent to store it.
    public int bias() {
        return (1 << (exponentBits - 1)) - 1;
    }

    /// The largest finite number.
    public float max() {
        return max;
    }

    /// The exponent of the largest finite number.
    public int maxExponent() {
        return Math.getExponent(max);
    }

    /// The exponent of the smallest normal number. Below it numbers are as far apart as just above it.
    public int minExponent() {
        return 1 - bias();
    }

    /// Whether a code stands for NaN.
    public boolean hasNaN() {
        return bits() == Byte.SIZE;
    }

    /// The number of this format that is nearest to `v`: ties to even, the largest number for whatever lies beyond
    /// it, infinity too. The sign of a zero and NaN are kept.
    public float round(float v) {
        int exponent = Math.max(Math.getExponent(v), minExponent());
        float step = Math.scalb(1f, exponent - mantissaBits);
        float rounded = (float) Math.rint(v / step) * step;
        return Math.min(Math.max(rounded, -max), max);
    }

    /// The code of [#round]`(v)`, in the low bits of the byte: sign, exponent, mantissa. NaN is all ones but for the
    /// sign, and 0 in a format that has no NaN.
    public byte encode(float v) {
        if (Float.isNaN(v)) {
            return (byte) (hasNaN() ? 0x7f : 0);
        }
        // A float32 is laid out alike. Scaled so that the biased exponents agree, it holds the code in its upper bits.
        float rounded = round(v);
        int magnitude = Float.floatToRawIntBits(Math.abs(rounded) * Math.scalb(1f, bias() - BIAS_F32));
        int sign = Float.floatToRawIntBits(rounded) >>> 31;
        return (byte) (sign << (bits() - 1) | magnitude >>> (MANTISSA_BITS_F32 - mantissaBits));
    }

    /// The number that a code stands for, or infinity or NaN.
    ///
    /// @param code of which the low [#bits()] count
    public float decode(byte code) {
        int sign = code & 1 << (bits() - 1);
        int magnitude = code & (1 << (bits() - 1)) - 1;
        float shifted = Float.intBitsToFloat(magnitude << (MANTISSA_BITS_F32 - mantissaBits));
        float v = shifted * Math.scalb(1f, BIAS_F32 - bias());
        if (v > max) {
            // What the formula makes of the codes beyond the largest number: those of infinity and NaN.
            boolean infinity = this == E5M2 && magnitude == 0x7c;
            v = infinity ? Float.POSITIVE_INFINITY : Float.NaN;
        }
        return sign == 0 ? v : -v;
    }
}
