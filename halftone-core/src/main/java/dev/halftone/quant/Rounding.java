package dev.halftone.quant;

import dev.halftone.DType;

/// Arithmetic in the narrow float types, as torch does it on a CPU: each single operation is computed in float32 and
/// its result rounded to the type, half to even. So `round(round(a * b, t) + c, t)` is torch's `a * b + c` in type
/// `t`.
public final class Rounding {
    private Rounding() {}

    /// The value of `type` that is nearest to `v`, as a float32: ties to even, overflow to infinity, NaN kept.
    ///
    /// @param type F32, BF16 or F16
    public static float round(float v, DType type) {
        return switch (type) {
            case F32 -> v;
            case BF16 -> bfloat16(v);
            case F16 -> Float.float16ToFloat(Float.floatToFloat16(v));
            default -> throw new IllegalArgumentException("no arithmetic in " + type);
        };
    }

    /// bfloat16 is the upper half of a float32. Adding just under half a unit, and one more where the kept part is
    /// odd, carries into it exactly when the lower half is to be rounded up.
    private static float bfloat16(float v) {
        if (Float.isNaN(v)) {
            return Float.NaN;
        }
        int bits = Float.floatToRawIntBits(v);
        return Float.intBitsToFloat((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000);
    }
}
