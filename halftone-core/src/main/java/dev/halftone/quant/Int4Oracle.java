package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

import dev.halftone.DType;

/// The specification of int4 weights whose levels lie between a group's minimum and maximum, in scalar Java:
/// what every kernel and every backend must compute, bit for bit.
///
/// **Whose numerics.** torchao 0.18.
///
/// - MINIMUM: `Int4Tensor.from_hp`, which is FBGEMM's (now MSLK's) `int4_row_quantize_zp` with scale and
///   zero rounded to the dtype of the weight, where a grid stores them so; and
///   `Int4WeightFakeQuantizer._bf16_activations_forward`, torchao's training, where a grid stores them in
///   float32. The two differ in torchao: it trains with scales that it does not ship. Here a grid trains
///   with those that it stores.
/// - TINYGEMM: `_choose_qparams_affine_tinygemm`, `_quantize_affine_tinygemm` and
///   `_dequantize_affine_tinygemm`, as `Int4WeightOnlyQATQuantizer` calls them.
/// - MAGNITUDE: `Int4Tensor.from_hp` for float8 activations, which is FBGEMM's `int4_row_quantize`.
///
/// **Notation.** A tensor is a sequence of groups that share a scale `s` and a zero `z`. `d` is the type of
/// the values, `c` that of the stored scale; `⌊v⌉d` is `v` rounded to `d`, half to even. Every operation is
/// computed in float32 and rounded once to the type that stands beside it; where none stands it stays in
/// float32.
///
/// **Scale and zero** of a group, whose minimum `lo` and maximum `hi` need not enclose 0:
///
///     MINIMUM    s = max(hi - lo, 1e-6) / 15          origin = lo    S = ⌊s⌉c    Z = ⌊lo + 8·s⌉c
///     MAGNITUDE  s = max(|lo|, |hi|, 1e-6) / 8        origin = 0     S = ⌊s⌉c    Z = 0
///     TINYGEMM   r = max(⌊⌊hi - lo⌉d / 15⌉d, ⌊1e-6⌉d)                S = ⌊r⌉c    Z = ⌊⌊lo + ⌊8·r⌉d⌉d⌉c
///                s = S    origin = ⌊Z - ⌊8·S⌉c⌉c                     where c is bfloat16
///
/// `S` and `Z` are stored. Under MINIMUM and MAGNITUDE codes come from the unrounded scale all the same.
///
/// **Quantize.** In `e`, which is float32, and bfloat16 under TINYGEMM where `d` is:
///
///     t = rne(⌊⌊x - origin⌉e / s⌉e)       MINIMUM    q = clamp(t, 0, 15) - 8
///                                         MAGNITUDE  q = clamp(t, -8, 7)
///                                         TINYGEMM   q = clamp(t, 0, 15)
///
/// **Dequantize.** The level is `q`, and `q - 8` under TINYGEMM. There `p` is `d`, else float32:
///
///     y = ⌊⌊level · S⌉p + Z⌉d
///
/// Zero is a level only by chance, except under MAGNITUDE.
///
/// **Gradient**, from the upstream gradient `g` in `d`. It passes where [GradientRule] lets it:
///
///     OPEN: lowest < t < highest      CLOSED: lowest ≤ t ≤ highest      IDENTITY: ∂x = g
///
/// TINYGEMM is torchao's autograd, which keeps scale and zero out of it, and rounds the product and the
/// quotient:
///
///     a = ⌊g · S⌉d if t passes, else 0        ∂x = ⌊⌊a / S⌉e⌉d
///
/// MINIMUM and MAGNITUDE: `g` if t passes, else 0. With `scaleGradient` MINIMUM is torchao's autograd, which
/// goes through minimum and maximum; their ties share alike; in float32:
///
///     u = x - lo    a = g · S if t passes, else 0    b = a / s
///     ∂s = (Σ g·q - Σ a·((u / s) / s)) + 8·Σ g       ∂r = ∂s / 15 if hi - lo > 1e-6 (CLOSED: ≥), else 0
///     ∂x = ⌊b + (∂r / n_hi where x = hi) + (((Σ g - Σ b) - ∂r) / n_lo where x = lo)⌉d
///
/// where `n_hi` and `n_lo` count the values that are `hi` and `lo`, and sums are added up as [HalvingSum]
/// says.
///
/// **Not numbers.** A NaN or an infinity makes all values of its group NaN. A code that would be NaN is 0.
public record Int4Oracle(Int4Grid grid) implements Oracle {
    /// The levels of a group.
    ///
    /// @param scale what values are divided by
    /// @param origin what is taken from them first
    /// @param stored the scale as it is stored
    /// @param zero as it is stored
    public record Block(float scale, float origin, float stored, float zero) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        int group = grid.granularity().groupSize(columns);
        byte[] codes = new byte[x.length];
        float[] scales = new float[x.length / group];
        float[] zeros = new float[scales.length];
        for (int b = 0; b < scales.length; b++) {
            Block block = choose(x, b * group, (b + 1) * group, grid);
            scales[b] = block.stored();
            zeros[b] = block.zero();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = (byte) (step(x[i], block, grid) - grid.recentre());
            }
        }
        return new Codes(codes, scales, grid.zeroPointDtype() == null ? null : zeros, 1);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = grid.granularity().groupSize(columns);
        float[] zeros = q.zeroPoints();
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            float zero = zeros == null ? 0 : zeros[i / group];
            y[i] = value(q.codes()[i] - grid.middle(), q.scales()[i / group], zero, grid);
        }
        return y;
    }

    @Override
    public float[] fakeQuantize(float[] x, int columns) {
        int group = grid.granularity().groupSize(columns);
        float[] y = new float[x.length];
        for (int from = 0; from < x.length; from += group) {
            Block block = choose(x, from, from + group, grid);
            for (int i = from; i < from + group; i++) {
                y[i] = fakeQuantize(x[i], block, grid);
            }
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        int group = grid.granularity().groupSize(columns);
        float[] gradient = upstream.clone();
        for (int from = 0; from < x.length; from += group) {
            gradient(x, gradient, from, from + group, grid, rule);
        }
        return gradient;
    }

    /// Replaces the upstream gradient `g[from, to)` of the group `x[from, to)` by its gradient.
    public static void gradient(float[] x, float[] g, int from, int to, Int4Grid grid, GradientRule rule) {
        Block block = choose(x, from, to, grid);
        if (grid.scaleGradient() && rule != GradientRule.IDENTITY) {
            withScale(x, g, from, to, block, grid, rule);
            return;
        }
        for (int i = from; i < to; i++) {
            g[i] = gradient(x[i], g[i], block, grid, rule);
        }
    }

    /// The levels of `x[from, to)`.
    public static Block choose(float[] x, int from, int to, Int4Grid grid) {
        float lo = Float.POSITIVE_INFINITY;
        float hi = Float.NEGATIVE_INFINITY;
        for (int i = from; i < to; i++) {
            lo = Math.min(lo, x[i]);
            hi = Math.max(hi, x[i]);
        }
        return choose(lo, hi, grid);
    }

    /// The levels of a group with this minimum and maximum, both NaN where it holds one.
    public static Block choose(float lo, float hi, Int4Grid grid) {
        DType c = grid.scaleDtype();
        return switch (grid.rule()) {
            case MINIMUM -> {
                float s = Math.max(hi - lo, grid.eps()) / 15;
                yield new Block(s, lo, round(s, c), round(lo + 8 * s, c));
            }
            case MAGNITUDE -> {
                float s = Math.max(Math.max(Math.abs(lo), Math.abs(hi)), grid.eps()) / 8;
                yield new Block(s, 0, round(s, c), 0);
            }
            case TINYGEMM -> {
                DType d = grid.dtype();
                float r = Math.max(round(round(hi - lo, d) / 15, d), grid.eps());
                float s = round(r, c);
                float zero = round(round(lo + round(8 * r, d), d), c);
                yield new Block(s, round(zero - round(8 * s, c), c), s, zero);
            }
        };
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, Int4Grid grid) {
        float level = step(x, block, grid) - grid.recentre() - grid.middle();
        return value(level, block.stored(), block.zero(), grid);
    }

    /// Gradient of one value, where none flows into the scale.
    public static float gradient(float x, float upstream, Block block, Int4Grid grid, GradientRule rule) {
        return rule == GradientRule.IDENTITY
                ? upstream
                : gradient(upstream, passes(x, block, grid, rule), block.stored(), grid);
    }

    /// Gradient of one value, where none flows into the scale, from whether it passes.
    public static float gradient(float upstream, boolean passes, float stored, Int4Grid grid) {
        if (grid.rule() != Int4Grid.Rule.TINYGEMM) {
            return passes ? upstream : 0;
        }
        float a = passes ? round(upstream * stored, grid.dtype()) : 0;
        return round(round(a / stored, grid.stepDtype()), grid.dtype());
    }

    /// Whether one value gets a gradient.
    public static boolean passes(float x, Block block, Int4Grid grid, GradientRule rule) {
        return passes(unclamped(x, block, grid), grid, rule);
    }

    /// Gradient of a group through its minimum and maximum.
    private static void withScale(
            float[] x, float[] g, int from, int to, Block block, Int4Grid grid, GradientRule rule) {
        int n = to - from;
        float lo = block.origin();
        float hi = Float.NEGATIVE_INFINITY;
        for (int i = from; i < to; i++) {
            hi = Math.max(hi, x[i]);
        }
        float[] b = new float[n];
        float[] gLevel = new float[n];
        float[] aSteps = new float[n];
        float atHi = 0;
        float atLo = 0;
        for (int i = 0; i < n; i++) {
            float v = x[from + i];
            float t = unclamped(v, block, grid);
            float a = passes(t, grid, rule) ? g[from + i] * block.stored() : 0;
            b[i] = a / block.scale();
            gLevel[i] = g[from + i] * (clamp(t, grid) - 8);
            aSteps[i] = a * ((v - lo) / block.scale() / block.scale());
            atHi += v == hi ? 1 : 0;
            atLo += v == lo ? 1 : 0;
        }
        float sum = HalvingSum.of(g, from, to);
        float ds = HalvingSum.of(gLevel, 0, n) - HalvingSum.of(aSteps, 0, n) + 8 * sum;
        float range = hi - lo;
        boolean passes = rule == GradientRule.CLOSED ? range >= grid.eps() : range > grid.eps();
        float dr = passes ? ds / 15 : 0;
        float dHi = dr / atHi;
        float dLo = (sum - HalvingSum.of(b, 0, n) - dr) / atLo;
        for (int i = 0; i < n; i++) {
            float v = x[from + i];
            float d = b[i];
            d = v == hi ? d + dHi : d;
            d = v == lo ? d + dLo : d;
            g[from + i] = round(d, grid.dtype());
        }
    }

    /// The value of a level.
    private static float value(float level, float scale, float zero, Int4Grid grid) {
        return round(round(level * scale, grid.productDtype()) + zero, grid.dtype());
    }

    /// The step that a value falls on; NaN for NaN.
    private static float step(float x, Block block, Int4Grid grid) {
        return clamp(unclamped(x, block, grid), grid);
    }

    private static float unclamped(float x, Block block, Int4Grid grid) {
        DType e = grid.stepDtype();
        return (float) Math.rint(round(round(x - block.origin(), e) / block.scale(), e));
    }

    private static float clamp(float t, Int4Grid grid) {
        return Math.min(Math.max(t, grid.lowest()), grid.lowest() + 15);
    }

    private static boolean passes(float t, Int4Grid grid, GradientRule rule) {
        return switch (rule) {
            case IDENTITY -> true;
            case CLOSED -> t >= grid.lowest() && t <= grid.lowest() + 15;
            case OPEN -> t > grid.lowest() && t < grid.lowest() + 15;
        };
    }
}
