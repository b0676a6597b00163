package dev.halftone.quant;

import dev.halftone.quant.IntxOracle.Block;
import org.jspecify.annotations.Nullable;

/// The specification of intN quantization with trained scales, in scalar Java.
///
/// **Whose numerics.** `RANGE_LEARNING`: torchao 0.18's `IntxFakeQuantizer` with `range_learning=True`. `LSQ`: Esser et
/// al., *Learned Step Size Quantization* (ICLR 2020), equation 3 and section 2.2, with one step for each block of
/// weights.
///
/// **Quantize, dequantize, gradient of the values**: those of [IntxOracle] with the scale `s` that is given, in float32
/// (`c`), and the zero point `z`, where there is one: a float too, which need not be an integer while it is trained.
/// A scale that LSQ's training pushed below `1e-9` counts as `1e-9`; torchao lets scales become negative.
///
/// **Start.** With the scale and zero point that [IntxOracle] chooses, `s0` and `z0`, over a block of `n` values:
///
///     range learning   s = max(s0, 1e-9)    z = z0
///     LSQ              s = max(⌊⌊Σ|x| / n⌉ · (2 / √qmax)⌉, 1e-9)
///
/// **Gradient of the scale** from the upstream gradient `g` of the fake-quantized block, through the product with the
/// scale and through the reciprocal, where the clamp lets it pass. `q` are the codes, `a` as in [IntxOracle]: 0 where
/// the gradient stops. All in float32, sums in the order of [HalvingSum]:
///
///     ∂s = Σ g · (q - z)  -  Σ a · x · (1/s)²          range learning
///     ∂s = the same · (1 / √(n · qmax))                LSQ's gradient scale
///     ∂z = - Σ ⌊g · s⌉d  where the gradient stops
///
/// Without the roundings the first is `Σ g · (q - x/s)` inside the range and `Σ g · q` where the clamp holds:
/// equation 3 of LSQ. Under [GradientRule#IDENTITY] the values' gradient passes everywhere; that of the scale then
/// stops as under CLOSED, for a scale whose clamped values did not count would never grow.
public record LearnedOracle(LearnedGrid grid) implements Oracle {
    /// The smallest scale that training starts with.
    public static final float EPS = 1e-9f;

    /// What is given for each block.
    ///
    /// @param zeroPoints null where the grid is symmetric
    public record Scales(float[] scales, float @Nullable [] zeroPoints) {}

    /// @param x for each value
    public record Gradients(float[] x, Scales scales) {}

    /// The scales that training starts with.
    public Scales start(float[] x, int columns) {
        int group = grid.granularity().groupSize(columns);
        IntxGrid codes = grid.codes();
        float[] scales = new float[x.length / group];
        float[] zeroPoints = codes.symmetric() ? null : new float[scales.length];
        for (int b = 0; b < scales.length; b++) {
            Block chosen = IntxOracle.choose(x, b * group, (b + 1) * group, codes);
            scales[b] =
                    Math.max(grid.lsq() ? meanMagnitude(x, b * group, group) * startFactor(grid) : chosen.scale(), EPS);
            if (zeroPoints != null) {
                zeroPoints[b] = chosen.zeroPoint();
            }
        }
        return new Scales(scales, zeroPoints);
    }

    private static float meanMagnitude(float[] x, int from, int group) {
        float[] magnitudes = new float[group];
        for (int i = 0; i < group; i++) {
            magnitudes[i] = Math.abs(x[from + i]);
        }
        return HalvingSum.of(magnitudes, 0, group) / group;
    }

    /// `2 / √qmax`.
    public static float startFactor(LearnedGrid grid) {
        return (float) (2 / Math.sqrt(grid.codes().qmax()));
    }

    /// What a block's scale gradient is multiplied by.
    public static float gradientFactor(LearnedGrid grid, int group) {
        return grid.lsq() ? (float) (1 / Math.sqrt((double) group * grid.codes().qmax())) : 1;
    }

    /// A block with this scale and zero point.
    public static Block block(float scale, float zeroPoint, LearnedGrid grid) {
        float s = Math.max(scale, lowest(grid));
        return new Block(s, 1 / s, zeroPoint);
    }

    /// The smallest scale that is used as it is.
    public static float lowest(LearnedGrid grid) {
        return grid.lsq() ? EPS : Float.NEGATIVE_INFINITY;
    }

    @Override
    public Codes quantize(float[] x, int columns) {
        return quantize(x, columns, start(x, columns));
    }

    /// Codes for given scales. Zero points are rounded to codes, as torchao's convert does.
    public Codes quantize(float[] x, int columns, Scales given) {
        int group = grid.granularity().groupSize(columns);
        byte[] codes = new byte[x.length];
        float[] scales = new float[given.scales().length];
        float[] zeroPoints = grid.codes().symmetric() ? null : new float[scales.length];
        for (int b = 0; b < scales.length; b++) {
            Block block = block(given, b);
            if (zeroPoints != null) {
                zeroPoints[b] = (float) Math.rint(block.zeroPoint());
                block = block(block.scale(), zeroPoints[b], grid);
            }
            scales[b] = block.scale();
            for (int i = b * group; i < (b + 1) * group; i++) {
                codes[i] = IntxOracle.code(x[i], block, grid.codes());
            }
        }
        return new Codes(codes, scales, zeroPoints, 1);
    }

    @Override
    public float[] dequantize(Codes codes, int columns) {
        return grid.codes().oracle().dequantize(codes, columns);
    }

    /// What remains of `x` with given scales.
    public float[] fakeQuantize(float[] x, int columns, Scales given) {
        int group = grid.granularity().groupSize(columns);
        float[] y = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = IntxOracle.fakeQuantize(x[i], block(given, i / group), grid.codes());
        }
        return y;
    }

    @Override
    public float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule) {
        return gradients(x, upstream, columns, start(x, columns), rule).x();
    }

    /// Gradients of the values and of the given scales.
    public Gradients gradients(float[] x, float[] upstream, int columns, Scales given, GradientRule rule) {
        int group = grid.granularity().groupSize(columns);
        float[] values = new float[x.length];
        float[] scales = new float[given.scales().length];
        float[] zeroPoints = given.zeroPoints() == null ? null : new float[scales.length];
        Terms terms = new Terms(group);
        for (int b = 0; b < scales.length; b++) {
            Block block = block(given, b);
            for (int i = b * group; i < (b + 1) * group; i++) {
                values[i] = IntxOracle.gradient(x[i], upstream[i], block, grid.codes(), rule);
                terms.set(i - b * group, x[i], upstream[i], block, grid.codes(), rule);
            }
            scales[b] = terms.scale(block, gradientFactor(grid, group));
            if (zeroPoints != null) {
                zeroPoints[b] = terms.zeroPoint();
            }
        }
        return new Gradients(values, new Scales(scales, zeroPoints));
    }

    private Block block(Scales given, int b) {
        float[] zeroPoints = given.zeroPoints();
        return block(given.scales()[b], zeroPoints == null ? 0 : zeroPoints[b], grid);
    }

    /// What a block adds up to, term by term.
    public static final class Terms {
        /// `g · (q - z)`, `a · x` and `⌊g · s⌉d` where the gradient stops.
        private final float[] products;

        private final float[] reciprocals;
        private final float[] stopped;

        public Terms(int group) {
            products = new float[group];
            reciprocals = new float[group];
            stopped = new float[group];
        }

        /// @param i index in the block
        public void set(int i, float x, float upstream, Block block, IntxGrid codes, GradientRule rule) {
            GradientRule stops = rule == GradientRule.IDENTITY ? GradientRule.CLOSED : rule;
            float a = Rounding.round(upstream * block.scale(), codes.dtype());
            boolean passes = IntxOracle.passes(x, block, codes, stops);
            products[i] = upstream * IntxOracle.offset(x, block, codes);
            reciprocals[i] = (passes ? a : 0) * x;
            stopped[i] = passes ? 0 : a;
        }

        /// `g · (q - z)` of each value, for kernels that write it.
        public float[] products() {
            return products;
        }

        /// `a · x` of each value, for kernels that write it.
        public float[] reciprocals() {
            return reciprocals;
        }

        /// The gradient of the block's scale.
        public float scale(Block block, float factor) {
            float reciprocal = HalvingSum.of(reciprocals, 0, reciprocals.length) * (block.inverse() * block.inverse());
            return (HalvingSum.of(products, 0, products.length) - reciprocal) * factor;
        }

        /// The gradient of the block's zero point.
        public float zeroPoint() {
            return -HalvingSum.of(stopped, 0, stopped.length);
        }
    }
}
