package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

import dev.halftone.DType;

/// The specification of compressed-tensors' integers, in scalar Java: what every kernel and every backend
/// must compute, bit for bit.
///
/// **Whose numerics.** compressed-tensors 0.20 on a CPU: `calculate_qparams` on the minimum and maximum of
/// each block, then `fake_quantize`, and `quantize` and `dequantize`, which are the same in two steps.
/// llm-compressor's calibration-free schemes call just these. For activations
/// `compute_dynamic_scales_and_zp` with a scale a token; for a matrix of tokens without a batch dimension
/// that function takes one scale for all, which is not followed.
///
/// **Notation.** `d` is the type of the values; `⌊v⌉` is `v` rounded to `d`, half to even. Every operation
/// is computed in float32 and rounded once.
///
/// **Scale** of a block:
///
///     lo = min(x, 0)    hi = max(x, 0)
///     symmetric    s = ⌊max(-lo, hi) / ((qmax - qmin) / 2)⌉      zp = 0
///     asymmetric   s = ⌊⌊hi - lo⌉ / (qmax - qmin)⌉               zp = rne(clamp(⌊qmin - ⌊lo / s⌉⌉, qmin, qmax))
///
/// A scale of 0 becomes `eps`, after the zero point was computed: 2⁻²³ in float32, 2⁻⁷ in bfloat16, 2⁻¹⁰ in
/// float16. The zero point of a block of zeros, 0 / 0, is 0.
///
/// **Quantize.** Unlike torchao: the quotient, not the product with the reciprocal, and clamped before it is
/// rounded:
///
///     t = ⌊⌊x / s⌉ + zp⌉        q = rne(clamp(t, qmin, qmax))
///
/// **Dequantize.** `y = ⌊⌊q - zp⌉ · s⌉`. Zeros are +0.
///
/// **Gradient.** The library has none. Ours is the straight-through one of its clamp, which looks at `t`
/// before rounding: `∂x` is the upstream gradient where `qmin ≤ t ≤ qmax` (CLOSED), `qmin < t < qmax` (OPEN)
/// or everywhere (IDENTITY), else 0. In symmetric int4 the largest magnitude lies at 7.5, and all that lies
/// above 7 is clamped.
///
/// **Not numbers.** A NaN or an infinity makes scales that are none, and the values of its block follow from
/// the formulas. A code that would be NaN is the zero point, a zero point that would be NaN is 0.
public record CompressedIntOracle(CompressedIntGrid grid) implements Oracle {
    /// Scale and zero point of a block. The zero point is a float because the arithmetic with it is.
    public record Block(float scale, float zeroPoint) {}

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
                codes[i] = stored(x[i], block, grid);
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
            y[i] = value(q.codes()[i], new Block(q.scales()[i / group], zeroPoint), grid);
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
                gradient[i] = passes(x[i], block, grid, rule) ? upstream[i] : 0;
            }
        }
        return gradient;
    }

    /// Scale and zero point of `x[from, to)`.
    public static Block choose(float[] x, int from, int to, CompressedIntGrid grid) {
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
    public static Block choose(float lo, float hi, CompressedIntGrid grid) {
        DType d = grid.dtype();
        float range = grid.symmetric() ? Math.max(-lo, hi) : round(hi - lo, d);
        float scale = round(range / grid.steps(), d);
        float zeroPoint = 0;
        if (!grid.symmetric()) {
            float z = round(grid.qmin() - round(lo / scale, d), d);
            zeroPoint = Float.isNaN(z) ? 0 : (float) Math.rint(Math.clamp(z, grid.qmin(), grid.qmax()));
        }
        return new Block(scale == 0 ? grid.eps() : scale, zeroPoint);
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, CompressedIntGrid grid) {
        return value(code(x, block, grid), block, grid);
    }

    /// Whether one value gets a gradient.
    public static boolean passes(float x, Block block, CompressedIntGrid grid, GradientRule rule) {
        float t = unclamped(x, block, grid);
        return switch (rule) {
            case IDENTITY -> true;
            case CLOSED -> t >= grid.qmin() && t <= grid.qmax();
            case OPEN -> t > grid.qmin() && t < grid.qmax();
        };
    }

    /// The code that is stored for a value.
    static byte stored(float x, Block block, CompressedIntGrid grid) {
        float code = code(x, block, grid);
        return (byte) (Float.isNaN(code) ? block.zeroPoint() : code);
    }

    /// NaN for NaN, never -0.
    private static float code(float x, Block block, CompressedIntGrid grid) {
        float t = Math.min(Math.max(unclamped(x, block, grid), grid.qmin()), grid.qmax());
        return (float) Math.rint(t) + 0f;
    }

    private static float value(float code, Block block, CompressedIntGrid grid) {
        DType d = grid.dtype();
        return round(round(code - block.zeroPoint(), d) * block.scale(), d);
    }

    private static float unclamped(float x, Block block, CompressedIntGrid grid) {
        DType d = grid.dtype();
        return round(round(x / block.scale(), d) + block.zeroPoint(), d);
    }
}
