package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.I;
import static dev.halftone.kernel.Tiles.LANES;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LE;
import static jdk.incubator.vector.VectorOperators.LT;
import static jdk.incubator.vector.VectorOperators.MAX;

import dev.halftone.DType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.AmaxOracle;
import dev.halftone.quant.AmaxOracle.Block;
import dev.halftone.quant.Element;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The formulas of [AmaxOracle] in vectors.
///
/// What is left at the end of a block, all of float16, and gradients that flow through scales go through the
/// oracle's scalar functions.
///
/// @param shared what the whole tensor is quantized with; null where each block has its own
record AmaxVectors(AmaxGrid grid, @Nullable Block shared) implements EachBlock {
    private static final int MAGNITUDE = 0x7fffffff;
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22.
    private static final float ROUNDER = 0x1.8p23f;

    /// @param x what is to be quantized
    static AmaxVectors of(AmaxGrid grid, Tensor x) {
        return new AmaxVectors(
                grid,
                grid.granularity() instanceof Granularity.PerTensor
                        ? AmaxOracle.choose(VectorKernel.amax(x), grid)
                        : null);
    }

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        Block block = choose(x, from, to);
        int i = from;
        if (vectors()) {
            // What is bfloat16 already stays so in either type: one rounding does for both.
            DType type = grid.carry() == DType.BF16 ? DType.BF16 : grid.dtype();
            for (; i <= to - LANES; i += LANES) {
                FloatVector number = number(scaled(FloatVector.fromArray(F, x, i), block));
                FloatVector y = grid.divides() ? number.div(block.out()) : number.mul(block.out());
                Tiles.round(y, type).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = AmaxOracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return;
        }
        if (grid.scaleGradient()) {
            AmaxOracle.gradient(x, g, from, to, grid, rule);
            return;
        }
        Block block = choose(x, from, to);
        int i = from;
        if (vectors()) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector stopped = FloatVector.zero(F);
                FloatVector v = FloatVector.fromArray(F, x, i);
                FloatVector p = FloatVector.fromArray(F, g, i);
                VectorMask<Float> passes = passes(v, block, rule);
                if (grid.differentiated()) {
                    p = ofCode(p, block);
                    p = stopped.blend(p, passes);
                    p = grid.multiplies() ? p.mul(block.in()) : p.div(block.in());
                    p = Tiles.round(p, grid.dtype());
                } else {
                    p = stopped.blend(p, passes);
                }
                p.intoArray(g, i);
            }
        }
        for (; i < to; i++) {
            g[i] = AmaxOracle.gradient(x[i], g[i], block, grid, rule);
        }
    }

    private FloatVector ofCode(FloatVector g, Block block) {
        FloatVector p = Tiles.round(g.mul(block.out()), grid.carry());
        return grid.float8Gradient() && grid.element() instanceof Element.Floats e
                ? MiniFloatVectors.round(p, e.format())
                : p;
    }

    /// The bits of a magnitude, read as an int, order as the magnitudes do, with NaN above infinity.
    private Block choose(float[] x, int from, int to) {
        if (shared != null) {
            return shared;
        }
        IntVector magnitudes = IntVector.zero(I);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            magnitudes = magnitudes.max(
                    FloatVector.fromArray(F, x, i).reinterpretAsInts().and(MAGNITUDE));
        }
        int largest = magnitudes.reduceLanes(MAX);
        for (; i < to; i++) {
            largest = Math.max(largest, Float.floatToRawIntBits(x[i]) & MAGNITUDE);
        }
        return AmaxOracle.choose(Float.intBitsToFloat(largest), grid);
    }

    private FloatVector scaled(FloatVector x, Block block) {
        FloatVector t = Tiles.round(grid.multiplies() ? x.mul(block.in()) : x.div(block.in()), grid.carry());
        return grid.addsZero() ? t.add(0) : t;
    }

    private FloatVector number(FloatVector t) {
        return switch (grid.element()) {
            case Element.Integers(float min, float max) ->
                Tiles.clamp(t, min, max).add(ROUNDER).sub(ROUNDER);
            case Element.Floats(var format) -> MiniFloatVectors.round(t, format);
        };
    }

    private VectorMask<Float> passes(FloatVector x, Block block, GradientRule rule) {
        boolean open = rule == GradientRule.OPEN;
        if (grid.formula() == AmaxGrid.Formula.MODELOPT) {
            return x.abs().compare(open ? LT : LE, block.amax());
        }
        FloatVector t = scaled(x, block);
        float min = grid.element().min();
        float max = grid.element().max();
        if (grid.element() instanceof Element.Integers) {
            // One beyond the bounds is beyond them, whatever it is.
            t = Tiles.clamp(t, min - 1, max + 1).add(ROUNDER).sub(ROUNDER);
        }
        return t.compare(open ? GT : GE, min).and(t.compare(open ? LT : LE, max));
    }

    private boolean vectors() {
        return grid.dtype() != DType.F16;
    }
}
