package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

import dev.halftone.DType;

/// The specification of quantization by the largest magnitude, in scalar Java.
///
/// **Whose numerics.** Each [AmaxGrid.Formula] is one library's, on a CPU:
///
/// - FLOAT8: torchao 0.18, `_choose_scale_float8`, `_quantize_affine_float8` and `_dequantize_affine_float8`
///   of `quant_primitives.py`, as `Float8FakeQuantizer` (training) and `Float8Tensor.from_hp` (after it) call
///   them.
/// - FLOAT8_COMPRESSED: compressed-tensors 0.20, `calculate_qparams` and `_quantize_dequantize`.
/// - MODELOPT: ModelOpt 0.47, `_tensor_quant` (integers) and `_fp8_eager` (float8) of `tensor_quant.py`.
/// - INT4_TRAINING: torchao 0.18, the second half of `Int4WeightFakeQuantizer._fp8_activations_forward`.
///
/// **Notation.** `d` is the type of the values. `⌊v⌉d` is `v` rounded to `d`, half to even; without a type,
/// to float32. `M` is the largest number of the element, 448 in e4m3, 127 in int8; `E(t)` is its number
/// nearest to `t`, half to even, the last one for what lies beyond. Each operation is rounded by itself.
///
/// **Scale**, from the amax `a` of a block, in `d`, after it is put between the grid's bounds:
///
///     FLOAT8              s = ⌊a / M⌉d; 1 where that is 0        t = ⌊x / s⌉           y = ⌊⌊E(t) · s⌉⌉d
///     FLOAT8_TORCHAO      s = ⌊a / M⌉d                           as FLOAT8
///     FLOAT8_COMPRESSED   s = ⌊a / M⌉d; eps where that is 0      t = ⌊x / s⌉d + 0      y = ⌊E(t) · s⌉d
///     MODELOPT, float8    r = ⌊⌊1 / a⌉ · M⌉; M where a ≤ 2⁻²⁴    t = ⌊x · r⌉           y = ⌊⌊E(t) · ⌊1 / r⌉⌉⌉d
///     MODELOPT, integers  r = ⌊M / a⌉; 0 where a ≤ 2⁻²⁴          t = ⌊x · r⌉           y = ⌊⌊E(t) / r⌉⌉d, r = 1 for 0
///     INT4_TRAINING       s = max(⌊a / 8⌉d, ⌊10⁻⁶⌉d)             t = ⌊x · ⌊1 / s⌉d⌉d   y = ⌊E(t) · s⌉d
///
/// `eps` is the distance of 1 to the next number of `d`. Adding 0, the zero point, makes -0 a 0.
///
/// **What is stored** as the scale: what the codes are multiplied by; of MODELOPT `a` itself, which its
/// checkpoints call `_amax`.
///
/// **Zeros.** torchao divides a block of zeros by its scale 0, and the block is NaN from there on:
/// FLOAT8_TORCHAO does so too. FLOAT8 differs from it in nothing else.
///
/// **Gradient** of the fake quantizer, from the upstream gradient `g` in `d`. IDENTITY: `∂x = g`. Else, for
/// the formulas that torch's autograd sees (FLOAT8, FLOAT8_TORCHAO and INT4_TRAINING; here as FLOAT8):
///
///     p = ⌊g · s⌉  (with `float8Gradient`, E(⌊g · s⌉)) where `t` passes, else 0        ∂x = ⌊⌊p / s⌉⌉d
///     OPEN: min < t < M      CLOSED: min ≤ t ≤ M, of integers after rounding
///
/// and with `scaleGradient` the scale's share, given to those `n` values whose magnitude is `a`:
///
///     ∂s = ⌊Σ⌊g · E(t)⌉ + Σ⌊-p · ⌊t / s⌉⌉⌉d       ∂a = ⌊∂s / M⌉d, 0 where a bound holds `a`
///     ∂x = ⌊∂x + sign(x) · ⌊∂a / n⌉d⌉d
///
/// INT4_TRAINING has `⌊p · ⌊1 / s⌉d⌉d` for the quotient, and its scale's share flows through the reciprocal:
/// `∂s = Σ(g · q) - (Σ(p · x)) · (1/s)²`, each operation in `d`. Sums run in float32 in the order of
/// [HalvingSum]. No scale's share flows where the scale does not depend on the amax.
///
/// The other formulas are nobody's autograd: `∂x = g` where it passes. MODELOPT passes where `|x| ≤ a`
/// (CLOSED, its `pass_through_bwd=False`) or `|x| < a` (OPEN).
public record AmaxOracle(AmaxGrid grid) implements Oracle {
    private static final float MODELOPT_TINY = 0x1p-24f;
    private static final float INT4_TRAINING_EPS = 1e-6f;
    private static final float INT4_STEPS = 8;

    /// What a block is quantized with.
    ///
    /// @param amax between the bounds
    /// @param stored the scale that is stored
    /// @param in what values are divided by, or multiplied by ([AmaxGrid#multiplies])
    /// @param out what codes are multiplied by, or divided by ([AmaxGrid#divides])
    public record Block(float amax, float stored, float in, float out) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        int group = group(x.length, columns);
        byte[] codes = new byte[x.length];
        float[] scales = new float[blocks(x.length, group)];
        for (int b = 0; b < scales.length; b++) {
            Block block = choose(x, b * group, (b + 1) * group, grid);
            scales[b] = block.stored();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = grid.element().code(number(x[i], block, grid));
            }
        }
        return new Codes(codes, scales, null, 1);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = group(q.codes().length, columns);
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            float out = stored(q.scales()[i / group], grid).out();
            y[i] = value(grid.element().number(q.codes()[i]), out, grid);
        }
        return y;
    }

    @Override
    public float[] fakeQuantize(float[] x, int columns) {
        int group = group(x.length, columns);
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
        int group = group(x.length, columns);
        float[] gradient = upstream.clone();
        for (int from = 0; from < x.length; from += group) {
            gradient(x, gradient, from, from + group, grid, rule);
        }
        return gradient;
    }

    /// Values in a block of a tensor of `length` values. A tensor without values has one block of none.
    private int group(int length, int columns) {
        return grid.granularity() instanceof Granularity.PerTensor
                ? length
                : grid.granularity().groupSize(columns);
    }

    private int blocks(int length, int group) {
        return grid.granularity() instanceof Granularity.PerTensor ? 1 : length / group;
    }

    /// The largest magnitude of `x[from, to)`; NaN where it holds one.
    private static float largest(float[] x, int from, int to) {
        float largest = 0;
        for (int i = from; i < to; i++) {
            largest = Math.max(largest, Math.abs(x[i]));
        }
        return largest;
    }

    private static Block choose(float[] x, int from, int to, AmaxGrid grid) {
        return choose(largest(x, from, to), grid);
    }

    /// Scale of a block.
    ///
    /// @param largest its largest magnitude; NaN where it holds one
    public static Block choose(float largest, AmaxGrid grid) {
        float a = Math.min(Math.max(largest, grid.lowest()), grid.highest());
        DType d = grid.dtype();
        return switch (grid.formula()) {
            case FLOAT8, FLOAT8_TORCHAO, FLOAT8_COMPRESSED -> {
                float s = round(a / grid.element().max(), d);
                s = s == 0 ? zeroScale(grid) : s;
                yield new Block(a, s, s, s);
            }
            case MODELOPT -> modelOpt(a, grid.element());
            case INT4_TRAINING -> {
                float s = Math.max(round(a / INT4_STEPS, d), int4TrainingEps(grid));
                yield new Block(a, s, round(1 / s, d), s);
            }
        };
    }

    /// The factors of a block whose scale is stored. Its amax is known only where that is the scale, of MODELOPT.
    public static Block stored(float scale, AmaxGrid grid) {
        return grid.formula() == AmaxGrid.Formula.MODELOPT
                ? modelOpt(scale, grid.element())
                : new Block(Float.NaN, scale, grid.multiplies() ? round(1 / scale, grid.dtype()) : scale, scale);
    }

    private static Block modelOpt(float a, Element element) {
        boolean tiny = a <= MODELOPT_TINY;
        return switch (element) {
            case Element.Integers integers ->
                tiny ? new Block(a, a, 0, 1) : new Block(a, a, integers.max() / a, integers.max() / a);
            case Element.Floats floats -> {
                float r = 1 / (tiny ? 1 : a) * floats.max();
                yield new Block(a, a, r, 1 / r);
            }
        };
    }

    /// The scale in place of a scale of 0.
    public static float zeroScale(AmaxGrid grid) {
        return switch (grid.formula()) {
            case FLOAT8_TORCHAO -> 0;
            case FLOAT8_COMPRESSED -> (float) eps(grid.dtype());
            default -> 1;
        };
    }

    private static double eps(DType dtype) {
        return switch (dtype) {
            case BF16 -> 0x1p-7;
            case F16 -> 0x1p-10;
            default -> 0x1p-23;
        };
    }

    /// The smallest scale of INT4_TRAINING.
    public static float int4TrainingEps(AmaxGrid grid) {
        return round(INT4_TRAINING_EPS, grid.dtype());
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, AmaxGrid grid) {
        return value(number(x, block, grid), block.out(), grid);
    }

    /// The gradient of `x[from, to)`, in place of the upstream gradient `g[from, to)`.
    public static void gradient(float[] x, float[] g, int from, int to, AmaxGrid grid, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return;
        }
        float largest = largest(x, from, to);
        Block block = choose(largest, grid);
        float share = grid.scaleGradient() ? scaleShare(x, g, from, to, largest, block, grid, rule) : 0;
        for (int i = from; i < to; i++) {
            g[i] = gradient(x[i], g[i], block, grid, rule);
            if (grid.scaleGradient()) {
                boolean shares = Math.abs(x[i]) == largest || Float.isNaN(share);
                g[i] = round(g[i] + (shares ? share * sign(x[i]) : 0), grid.dtype());
            }
        }
    }

    /// 1, -1 or 0; a single zero, unlike Java's signum.
    private static float sign(float x) {
        return x > 0 ? 1 : x < 0 ? -1 : 0;
    }

    /// Gradient of one value, without the share of the scale.
    public static float gradient(float x, float g, Block block, AmaxGrid grid, GradientRule rule) {
        if (!grid.differentiated()) {
            return passes(x, block, grid, rule) ? g : 0;
        }
        float p = ofCode(x, g, block, grid, rule);
        return round(grid.multiplies() ? p * block.in() : p / block.in(), grid.dtype());
    }

    /// The gradient of a code: `p`.
    private static float ofCode(float x, float g, Block block, AmaxGrid grid, GradientRule rule) {
        if (!passes(x, block, grid, rule)) {
            return 0;
        }
        float p = round(g * block.out(), grid.carry());
        return grid.float8Gradient() ? grid.element().round(p) : p;
    }

    /// What each value of the largest magnitude gets from the scale, before its sign; NaN for a block with a
    /// NaN.
    private static float scaleShare(
            float[] x, float[] g, int from, int to, float largest, Block block, AmaxGrid grid, GradientRule rule) {
        DType c = grid.carry();
        float[] outwards = new float[to - from];
        float[] inwards = new float[to - from];
        for (int i = 0; i < outwards.length; i++) {
            float value = x[from + i];
            float p = ofCode(value, g[from + i], block, grid, rule);
            outwards[i] = round(g[from + i] * number(value, block, grid), c);
            inwards[i] = grid.multiplies() ? round(p * value, c) : -p * (value / block.in() / block.in());
        }
        int n = 0;
        for (int i = from; i < to; i++) {
            n += Math.abs(x[i]) == largest ? 1 : 0;
        }
        DType d = grid.dtype();
        float dOut = round(HalvingSum.of(outwards, 0, outwards.length), c);
        float dIn = round(HalvingSum.of(inwards, 0, inwards.length), c);
        if (grid.multiplies()) {
            dIn = round(-dIn * round(block.in() * block.in(), c), c);
        }
        float ds = round(round(dOut + dIn, c), d);
        float da = flows(largest, block, grid, rule) ? round(ds / steps(grid), d) : 0;
        return n == 0 ? Float.NaN : round(da / round(n, d), d);
    }

    /// What the amax is divided by.
    public static float steps(AmaxGrid grid) {
        return grid.element() instanceof Element.Integers
                ? INT4_STEPS
                : grid.element().max();
    }

    /// Whether the scale follows the amax, so that a gradient flows through it.
    private static boolean flows(float largest, Block block, AmaxGrid grid, GradientRule rule) {
        boolean open = rule == GradientRule.OPEN;
        float s = round(block.amax() / steps(grid), grid.dtype());
        if (grid.formula() == AmaxGrid.Formula.INT4_TRAINING) {
            return open ? s > int4TrainingEps(grid) : s >= int4TrainingEps(grid);
        }
        if (s == 0 && grid.formula() == AmaxGrid.Formula.FLOAT8) {
            return false;
        }
        boolean above = grid.lowest() == 0 || (open ? largest > grid.lowest() : largest >= grid.lowest());
        boolean below =
                Float.isInfinite(grid.highest()) || (open ? largest < grid.highest() : largest <= grid.highest());
        return above && below;
    }

    /// Whether one value gets a gradient.
    public static boolean passes(float x, Block block, AmaxGrid grid, GradientRule rule) {
        if (grid.formula() == AmaxGrid.Formula.MODELOPT) {
            return rule == GradientRule.OPEN ? Math.abs(x) < block.amax() : Math.abs(x) <= block.amax();
        }
        float t = scaled(x, block, grid);
        if (grid.element() instanceof Element.Integers) {
            t = (float) Math.rint(t);
        }
        float min = grid.element().min();
        float max = grid.element().max();
        return rule == GradientRule.OPEN ? t > min && t < max : t >= min && t <= max;
    }

    /// The element's number that a value is mapped to.
    static float number(float x, Block block, AmaxGrid grid) {
        return grid.element().round(scaled(x, block, grid));
    }

    private static float scaled(float x, Block block, AmaxGrid grid) {
        float t = round(grid.multiplies() ? x * block.in() : x / block.in(), grid.carry());
        return grid.addsZero() ? t + 0f : t;
    }

    private static float value(float number, float out, AmaxGrid grid) {
        float y = round(grid.divides() ? number / out : number * out, grid.carry());
        return round(y, grid.dtype());
    }
}
