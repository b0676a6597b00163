package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// Sixteen levels in equal steps that a group of a weight's row is mapped to, laid from its minimum to its
/// maximum: an [Int4Scheme] applied to weights of one dtype. [Int4Oracle] is the arithmetic.
///
/// @param rule where the levels lie, and in what types that is computed
/// @param dtype type of the values
/// @param scaleDtype type that scale and zero are stored in
/// @param eps smallest range of a group, smallest scale under TINYGEMM, smallest magnitude under MAGNITUDE
/// @param granularity which neighbours share a scale
/// @param scaleGradient whether the gradient flows into the scale and the minimum too, and so to the largest
///     and the smallest value of a group, as in torchao's autograd; it stops there otherwise
public record Int4Grid(
        Rule rule, DType dtype, DType scaleDtype, float eps, Granularity granularity, boolean scaleGradient)
        implements Grid {
    /// Where the levels lie.
    public enum Rule {
        /// From the minimum to the maximum, all in float32; codes in [-8, 7].
        MINIMUM,
        /// The same in the dtype of the values and in bfloat16; codes in [0, 15].
        TINYGEMM,
        /// Around zero, all in float32; codes in [-8, 7], no zero is stored.
        MAGNITUDE
    }

    private static final float EPS = 1e-6f;

    public Int4Grid {
        if (scaleGradient && rule != Rule.MINIMUM) {
            throw new IllegalArgumentException(rule + " gives its scale no gradient");
        }
    }

    /// FBGEMM's `int4_row_quantize_zp`.
    ///
    /// @param scaleDtype `dtype` for what torchao stores, F32 for what it trains with
    public static Int4Grid minimum(DType dtype, DType scaleDtype, Granularity granularity, boolean scaleGradient) {
        return new Int4Grid(Rule.MINIMUM, dtype, scaleDtype, EPS, granularity, scaleGradient);
    }

    /// aten's tinygemm, as torchao's legacy quantizers prepare weights for it.
    public static Int4Grid tinygemm(DType dtype, Granularity granularity) {
        return new Int4Grid(Rule.TINYGEMM, dtype, DType.BF16, Rounding.round(EPS, dtype), granularity, false);
    }

    /// The same as `Int4TilePackedTo4dTensor` chooses it: with the smallest normal number as smallest scale.
    public static Int4Grid tilePacked(DType dtype, Granularity granularity) {
        float eps = (float) dtype.smallestNormal();
        return new Int4Grid(Rule.TINYGEMM, dtype, DType.BF16, eps, granularity, false);
    }

    /// FBGEMM's `int4_row_quantize`, which torchao stores int4 weights with that meet float8 activations.
    public static Int4Grid magnitude(DType dtype, Granularity granularity) {
        return new Int4Grid(Rule.MAGNITUDE, dtype, dtype, EPS, granularity, false);
    }

    /// The same levels with other groups.
    public Int4Grid with(Granularity groups) {
        return new Int4Grid(rule, dtype, scaleDtype, eps, groups, scaleGradient);
    }

    @Override
    public DType codeDtype() {
        return rule == Rule.TINYGEMM ? DType.U8 : DType.I8;
    }

    @Override
    public int codeBits() {
        return 4;
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return rule == Rule.MAGNITUDE ? null : scaleDtype;
    }

    @Override
    public Oracle oracle() {
        return new Int4Oracle(this);
    }

    /// Number of the lowest step, counted from the origin; the highest is 15 above it.
    public int lowest() {
        return rule == Rule.MAGNITUDE ? -8 : 0;
    }

    /// What is taken from the number of a step to give its code.
    public int recentre() {
        return rule == Rule.MINIMUM ? 8 : 0;
    }

    /// What is taken from a code to give its level, -8 to 7.
    public int middle() {
        return rule == Rule.TINYGEMM ? 8 : 0;
    }

    /// Type in which values are counted in steps.
    public DType stepDtype() {
        return rule == Rule.TINYGEMM && dtype == DType.BF16 ? DType.BF16 : DType.F32;
    }

    /// Type of a level times the scale.
    public DType productDtype() {
        return rule == Rule.TINYGEMM ? dtype : DType.F32;
    }
}
