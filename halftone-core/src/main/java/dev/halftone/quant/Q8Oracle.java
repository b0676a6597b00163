package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

import dev.halftone.DType;

/// The specification of how llama.cpp quantizes the inputs of products with quantized weights, in scalar Java: what
/// every kernel must compute, bit for bit.
///
/// **Whose numerics.** `quantize_row_q8_0` and `quantize_row_q8_1` of `ggml-cpu/arch/x86/quants.c` (the AVX and AVX2
/// code), and `quantize_row_q8_K_ref` of `ggml-quants.c`, which all processors share; ggml 0.25. The first two are
/// *not* the function that quantizes weights to Q8_0 ([GgufOracle]): the factor is 127 / amax, not 1 / d, and halves
/// go to the even neighbour, not away from zero. On ARM halves go to the even neighbour too, but the factor is
/// 1 / d; the portable C code, and the CUDA backend, which rounds inputs to Q8_1 as well, send halves away from zero.
/// So a value within a rounding error of the middle between two codes may get the other one there.
///
/// **The formula.** A block is 32 values (Q8_K: 256). Every operation is in float32 and rounded once; narrower
/// values are widened first. `⌊v⌉h` is `v` rounded to float16, half to even:
///
///     a = max|x|      i = 127 / a, 0 where a is 0      q = rint(x·i), within ±127
///     Q8_0  s = ⌊a / 127⌉h
///     Q8_K  s = 1 / i, 0 where a is 0
///     y = q·s, rounded to the dtype of the values
///
/// Q8_K has the sign of the block's extreme in `i` and `s`, where it cancels: products are the same.
///
/// llama.cpp then multiplies codes of weights and inputs as integers, and the sum of a block's products by both scales;
/// a product of the values `y` with the values of the weights differs by roundings of float32 only. Weights with a
/// minimum (Q4_1, Q5_1) add the minimum times the sum of the block's values. Q8_1 has that sum rounded to float16, from
/// a scale before its rounding: up to 2^-10 of it, which no grid of values can express, and which is missing here.
///
/// **Gradient.** Nothing is clamped, so the upstream gradient passes unchanged, under every [GradientRule].
public record Q8Oracle(Q8Grid grid) implements Oracle {
    /// Largest code.
    public static final int QMAX = 127;

    /// What a block is quantized with.
    ///
    /// @param inverse steps that a unit has
    /// @param scale the stored size of a step
    public record Block(float inverse, float scale) {}

    @Override
    public Codes quantize(float[] x, int columns) {
        int group = grid.type().blockSize();
        byte[] codes = new byte[x.length];
        float[] scales = new float[x.length / group];
        for (int b = 0; b < scales.length; b++) {
            float amax = 0;
            for (int i = b * group; i < (b + 1) * group; i++) {
                amax = Math.max(amax, Math.abs(x[i]));
            }
            Block block = choose(amax, grid);
            scales[b] = block.scale();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = (byte) code(x[i], block);
            }
        }
        return new Codes(codes, scales, null, 1);
    }

    @Override
    public float[] dequantize(Codes q, int columns) {
        int group = grid.type().blockSize();
        float[] y = new float[q.codes().length];
        for (int i = 0; i < y.length; i++) {
            y[i] = round(q.codes()[i] * q.scales()[i / group], grid.dtype());
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        return upstream.clone();
    }

    /// The block of a largest magnitude; NaN where it holds one.
    public static Block choose(float amax, Q8Grid grid) {
        float inverse = amax == 0 ? 0 : QMAX / amax;
        float scale = switch (grid.type()) {
            case Q8_0 -> round(amax / QMAX, DType.F16);
            case Q8_K -> amax == 0 ? 0 : 1 / inverse;
        };
        return new Block(inverse, scale);
    }

    /// The code of one value; 0 for what is no number of steps.
    private static int code(float x, Block block) {
        return Math.clamp((int) Math.rint(x * block.inverse()), -QMAX, QMAX);
    }

    /// What remains of one value after quantization.
    public static float fakeQuantize(float x, Block block, Q8Grid grid) {
        return round(code(x, block) * block.scale(), grid.dtype());
    }
}
