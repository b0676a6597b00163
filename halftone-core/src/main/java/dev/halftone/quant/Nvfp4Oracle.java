package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

/// The specification of NVFP4, in scalar Java: what every kernel and every backend must compute, bit for bit.
///
/// **Whose numerics.** Four implementations share a format and put different numbers into it:
///
/// - TORCHAO: torchao 0.18, `nvfp4_quantize`, `per_tensor_amax_to_scale` and `NVFP4Tensor.dequantize` of
///   `prototype/mx_formats/nvfp4_tensor.py`, which `NVFP4FakeQuantizedLinear` trains with.
/// - MODELOPT: what ModelOpt 0.47 stores, `NVFP4QTensor.quantize` and `dequantize`.
/// - MODELOPT_TRAINING: what ModelOpt trains with, `nvfp4_scalar_qdq` of its kernels. Blocks that its file keeps, if
///   at the smallest scale, are zeros here: its models are trained on a grid that they are not shipped on.
/// - COMPRESSED_TENSORS: compressed-tensors 0.20, `generate_gparam`, `calculate_qparams`, `quantize` and `dequantize`.
///
/// **Arithmetic** is in float32, where no `⌊v⌉d` says that `v` is rounded to the type of the values. `e4m3` is
/// [MiniFloat#round], half to even and never infinite.
///
/// **Scale of the tensor** `g`, from its largest magnitude `A`, and of a block `s`, from its largest magnitude `a`:
///
///     TORCHAO, MODELOPT…    g = max(A / 2688, 2^-117)            2688 = 448 · 6, the largest that s · q can be
///     COMPRESSED_TENSORS    g = ⌊⌊1 / max(A, smallest normal)⌉d · 2688⌉d    the inverse; 1 where that overflows
///     without one           g = 1
///
///     TORCHAO               s = e4m3(clamp((a / 6) / g, 2^-6, 448))
///     MODELOPT              s = e4m3(clamp(a / (6 g), 2^-9, 448)), 1 where a / (6 g) is 0
///     MODELOPT_TRAINING     s = e4m3(min(a / (6 g), 448))
///     COMPRESSED_TENSORS    s = e4m3(min(⌊a / 6⌉d · g, 448)), 0.125 where that is 0
///
/// The lower bound of `g` is ours: without it a tensor of zeros becomes NaN. It bears on no tensor that has a value
/// above 2^-105.
///
/// **Quantize and dequantize.** `u` is what a code's 1 stands for:
///
///     TORCHAO, MODELOPT…    u = g · s           COMPRESSED_TENSORS    u = s / g
///     TORCHAO               q = e2m1(x · ((1 / g) / s))
///     the others            q = e2m1(x / u), 0 where u is 0; a negative zero loses its sign
///     y = ⌊q · u⌉d
///
/// **Gradient.** The identity, whatever the [GradientRule]: torchao's backward passes it by all clamps, and ModelOpt's
/// only clamp is at the largest magnitude, which nothing is beyond. Biases are trained; torchao's class gives them
/// no gradient, since its `backward` returns None.
///
/// **Not numbers.** A NaN makes every value NaN, and with one level or in COMPRESSED_TENSORS those of its block. So
/// does an infinite value; with one level infinite values become 6 · 448.
public record Nvfp4Oracle(Nvfp4Grid grid) implements Oracle {
    private static final MiniFloat E2M1 = MiniFloat.E2M1;
    private static final MiniFloat E4M3 = MiniFloat.E4M3;
    /// The largest value in units of `g`.
    public static final float RANGE = 448 * 6;
    /// The smallest `g`, which keeps every product of scales and every reciprocal a normal number.
    public static final float SMALLEST = 0x1p-117f;

    /// What a block is quantized with.
    ///
    /// @param scale its scale, an E4M3 number
    /// @param inverse TORCHAO: what values are multiplied by
    /// @param unit what codes are multiplied by
    public record Block(float scale, float inverse, float unit) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        int group = grid.granularity().groupSize(columns);
        byte[] codes = new byte[x.length];
        float[] scales = new float[x.length / group];
        float g = tensorScale(amax(x, 0, x.length), grid);
        for (int b = 0; b < scales.length; b++) {
            Block block = choose(amax(x, b * group, (b + 1) * group), g, grid);
            scales[b] = block.scale();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = E2M1.encode(scaled(x[i], block, grid));
            }
        }
        return new Codes(codes, scales, null, g);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = grid.granularity().groupSize(columns);
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            float unit = unit(q.scales()[i / group], q.tensorScale(), grid);
            y[i] = round(E2M1.decode(q.codes()[i]) * unit, grid.dtype());
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        return upstream.clone();
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, Nvfp4Grid grid) {
        return round(E2M1.round(scaled(x, block, grid)) * block.unit(), grid.dtype());
    }

    /// The scale of a tensor.
    ///
    /// @param amax its largest magnitude; NaN where it holds one
    public static float tensorScale(float amax, Nvfp4Grid grid) {
        if (!grid.tensorScale()) {
            return 1;
        }
        if (grid.numerics() == Numerics.COMPRESSED_TENSORS) {
            float smallest = (float) grid.dtype().smallestNormal();
            float inverse = round(1 / Math.max(amax, smallest), grid.dtype());
            float g = round(inverse * RANGE, grid.dtype());
            return Float.isFinite(g) ? g : 1;
        }
        return Math.max(amax / RANGE, SMALLEST);
    }

    /// The scale of a block.
    ///
    /// @param amax its largest magnitude; NaN where it holds one
    /// @param g the scale of its tensor
    public static Block choose(float amax, float g, Nvfp4Grid grid) {
        float scale = E4M3.round(
                switch (grid.numerics()) {
                    case TORCHAO -> Math.max(amax / 6 / g, 0x1p-6f);
                    case MODELOPT -> {
                        float quotient = amax / (6 * g);
                        yield quotient == 0 ? 1 : Math.max(quotient, 0x1p-9f);
                    }
                    case MODELOPT_TRAINING -> amax / (6 * g);
                    case COMPRESSED_TENSORS -> round(amax / 6, grid.dtype()) * g;
                    default -> throw new IllegalArgumentException("no NVFP4 of " + grid.numerics());
                });
        if (grid.numerics() == Numerics.COMPRESSED_TENSORS && scale == 0) {
            scale = 0.125f;
        }
        return new Block(scale, 1 / g / scale, unit(scale, g, grid));
    }

    /// What a code's 1 stands for.
    public static float unit(float scale, float g, Nvfp4Grid grid) {
        return grid.numerics() == Numerics.COMPRESSED_TENSORS ? scale / g : g * scale;
    }

    /// A value in units of its block, before it is rounded.
    private static float scaled(float x, Block block, Nvfp4Grid grid) {
        if (grid.numerics() == Numerics.TORCHAO) {
            return x * block.inverse();
        }
        return block.unit() == 0 ? 0 : (x + 0f) / block.unit();
    }

    private static float amax(float[] x, int from, int to) {
        float amax = 0;
        for (int i = from; i < to; i++) {
            amax = Math.max(amax, Math.abs(x[i]));
        }
        return amax;
    }
}
