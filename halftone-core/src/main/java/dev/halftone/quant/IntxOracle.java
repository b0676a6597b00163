package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

import dev.halftone.DType;

/// The specification of intN quantization, in scalar Java: what every kernel and every backend must compute, bit
/// for bit.
///
/// **Whose numerics.** torchao 0.18 on a CPU: `choose_qparams_affine`, `_quantize_affine_no_dtype_cast` and
/// `_dequantize_affine_no_dtype_check` of `quant_primitives.py`, as `IntxFakeQuantizer` (training) and
/// `IntxUnpackedToInt8Tensor.from_hp` (after training) call them; and, with a float32 scale,
/// `Int8DynActInt4WeightQATQuantizer` (legacy).
///
/// **Notation.** A tensor is a sequence of blocks of `group` values that share a scale `s`. `d` is the type of
/// the values, `c` that of the scale ([IntxGrid]); under TORCHAO they are the same, under TORCHAO_LEGACY `c` is
/// float32. `⌊v⌉d` is `v` rounded to `d`, half to even. *Every* operation is computed in float32 and rounded once
/// to the type that stands beside it: scales in bfloat16 mean arithmetic in bfloat16, and whoever keeps an
/// intermediate in float32 gets other codes.
///
/// **Scale**, chosen in `d` and then cast to `c`; the gradient never flows into it:
///
///     lo = min(x, 0)    hi = max(x, 0)                         over the block
///     symmetric    s = max(⌊max(-lo, hi) / ((qmax - qmin) / 2)⌉d, eps)              zp = 0
///     asymmetric   s = max(⌊⌊hi - lo⌉d / (qmax - qmin)⌉d, eps)
///                  zp = clamp(⌊qmin - rne(⌊lo / s⌉d)⌉d, qmin, qmax)
///
/// The whole range of codes is used: int4 is [-8, 7], int8 [-128, 127]. `eps` is the smallest normal number of
/// `d` (1.1754944e-38 in float32 and bfloat16, 6.1035e-5 in float16), except for legacy activations, where it is
/// 2⁻²³. A block of zeros so has the scale `eps`, and codes equal to its zero point.
///
/// **Quantize.** The product with the reciprocal, not the quotient; rounding before the zero point is added:
///
///     t = ⌊rne(⌊x · ⌊1 / s⌉c⌉c) + zp⌉c        q = clamp(t, qmin, qmax)
///
/// **Dequantize.** `y = ⌊⌊⌊q - zp⌉d · s⌉c⌉d`. Fake quantization is one after the other; its zeros are +0.
///
/// **Gradient** of the fake quantizer, from the upstream gradient `g` in `d`, where [GradientRule] lets it pass:
/// the product and the quotient with the scale do not quite cancel, and torchao's autograd computes them both.
///
///     a = ⌊g · s⌉d  if t passes, else 0        ∂x = ⌊a · ⌊1 / s⌉c⌉d
///     OPEN: qmin < t < qmax      CLOSED: qmin ≤ t ≤ qmax      IDENTITY: ∂x = g
///
/// **Not numbers.** A NaN makes the scale of its block NaN, an infinity makes it infinite, and the values that
/// come out of such a block follow from the formulas. A code or a zero point that would be NaN is 0; torch leaves
/// that cast undefined.
public record IntxOracle(IntxGrid grid) implements Oracle {
    /// Scale, reciprocal and zero point of a block. The zero point is a float because the arithmetic with it is.
    public record Block(float scale, float inverse, float zeroPoint) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        int group = grid.granularity().groupSize(columns);
        byte[] codes = new byte[x.length];
        float[] scales = new float[x.length / group];
        float[] zeroPoints = new float[scales.length];
        for (int b = 0; b < scales.length; b++) {
            Block block = choose(x, b * group, (b + 1) * group, grid);
            scales[b] = block.scale();
            zeroPoints[b] = block.zeroPoint();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = code(x[i], block, grid);
            }
        }
        return new Codes(codes, scales, grid.symmetric() ? null : zeroPoints, 1);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = grid.granularity().groupSize(columns);
        float[] zeroPoints = q.zeroPoints();
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            float zeroPoint = zeroPoints == null ? 0 : zeroPoints[i / group];
            y[i] = dequantize(q.codes()[i], q.scales()[i / group], zeroPoint, grid);
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
        float[] gradient = new float[x.length];
        for (int from = 0; from < x.length; from += group) {
            Block block = choose(x, from, from + group, grid);
            for (int i = from; i < from + group; i++) {
                gradient[i] = gradient(x[i], upstream[i], block, grid, rule);
            }
        }
        return gradient;
    }

    /// Scale and zero point of `x[from, to)`.
    public static Block choose(float[] x, int from, int to, IntxGrid grid) {
        float lo = 0;
        float hi = 0;
        for (int i = from; i < to; i++) {
            lo = Math.min(lo, x[i]);
            hi = Math.max(hi, x[i]);
        }
        return choose(lo, hi, grid);
    }

    /// Scale and zero point of a block.
    ///
    /// @param lo its smallest value, or 0 where that is greater; NaN where it holds one
    /// @param hi its largest value, or 0 where that is smaller; NaN where it holds one
    public static Block choose(float lo, float hi, IntxGrid grid) {
        DType d = grid.dtype();
        float range = grid.symmetric() ? Math.max(-lo, hi) : round(hi - lo, d);
        float scale = Math.max(round(range / grid.steps(), d), grid.eps());
        float zeroPoint = 0;
        if (!grid.symmetric()) {
            float z = round(grid.qmin() - rne(round(lo / scale, d)), d);
            zeroPoint = Float.isNaN(z) ? 0 : Math.clamp(z, grid.qmin(), grid.qmax());
        }
        return new Block(scale, round(1 / scale, grid.scaleDtype()), zeroPoint);
    }

    /// The code of one value.
    public static byte code(float x, Block block, IntxGrid grid) {
        return (byte) clamp(unclamped(x, block, grid), grid);
    }

    /// The value that a code stands for.
    ///
    /// @param code a float, for a NaN must pass
    public static float dequantize(float code, float scale, float zeroPoint, IntxGrid grid) {
        return round(round(round(code - zeroPoint, grid.dtype()) * scale, grid.scaleDtype()), grid.dtype());
    }

    /// A value's code, less the zero point.
    public static float offset(float x, Block block, IntxGrid grid) {
        return round(clamp(unclamped(x, block, grid), grid) - block.zeroPoint(), grid.dtype());
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, IntxGrid grid) {
        return dequantize(clamp(unclamped(x, block, grid), grid), block.scale(), block.zeroPoint(), grid);
    }

    /// Gradient of one value.
    public static float gradient(float x, float upstream, Block block, IntxGrid grid, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return upstream;
        }
        float a = passes(x, block, grid, rule) ? round(upstream * block.scale(), grid.dtype()) : 0;
        return round(a * block.inverse(), grid.dtype());
    }

    /// Whether one value gets a gradient.
    public static boolean passes(float x, Block block, IntxGrid grid, GradientRule rule) {
        float t = unclamped(x, block, grid);
        return switch (rule) {
            case IDENTITY -> true;
            case CLOSED -> t >= grid.qmin() && t <= grid.qmax();
            case OPEN -> t > grid.qmin() && t < grid.qmax();
        };
    }

    /// The code before it is clamped to the range.
    private static float unclamped(float x, Block block, IntxGrid grid) {
        DType c = grid.scaleDtype();
        return round(rne(round(x * block.inverse(), c)) + block.zeroPoint(), c);
    }

    /// NaN passes.
    private static float clamp(float t, IntxGrid grid) {
        return Math.min(Math.max(t, grid.qmin()), grid.qmax());
    }

    private static float rne(float v) {
        return (float) Math.rint(v);
    }
}
