package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.Int4Oracle;
import dev.halftone.quant.Int4Oracle.Block;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/// The formulas of [Int4Oracle] in vectors.
///
/// What is left at the end of a group goes through the oracle's scalar functions, and so do all of float16
/// and the gradient that flows through minimum and maximum, whose sums the oracle orders.
record Int4Vectors(Int4Grid grid) implements VectorBlocks {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22. What is
    /// larger is clamped, whatever it becomes.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        Block block = choose(x, from, to);
        float recentre = grid.recentre() + grid.middle();
        int i = from;
        if (vectors()) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector t = unclamped(FloatVector.fromArray(F, x, i), block);
                FloatVector level =
                        Tiles.clamp(t, grid.lowest(), grid.lowest() + 15).sub(recentre);
                FloatVector product = Tiles.round(level.mul(block.stored()), grid.productDtype());
                Tiles.round(product.add(block.zero()), grid.dtype()).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = Int4Oracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return;
        }
        if (grid.scaleGradient()) {
            Int4Oracle.gradient(x, g, from, to, grid, rule);
            return;
        }
        Block block = choose(x, from, to);
        int i = from;
        if (vectors()) {
            for (; i <= to - LANES; i += LANES) {
                VectorMask<Float> passes = passes(FloatVector.fromArray(F, x, i), block, rule);
                FloatVector upstream = FloatVector.fromArray(F, g, i);
                gradient(upstream, passes, block).intoArray(g, i);
            }
        }
        for (; i < to; i++) {
            g[i] = Int4Oracle.gradient(x[i], g[i], block, grid, rule);
        }
    }

    private Block choose(float[] x, int from, int to) {
        Tiles.Range range = Tiles.range(x, from, to);
        return Int4Oracle.choose(range.min(), range.max(), grid);
    }

    private FloatVector gradient(FloatVector upstream, VectorMask<Float> passes, Block block) {
        FloatVector zero = FloatVector.zero(F);
        if (grid.rule() != Int4Grid.Rule.TINYGEMM) {
            return zero.blend(upstream, passes);
        }
        FloatVector a = Tiles.round(upstream.mul(block.stored()), grid.dtype());
        return Tiles.round(zero.blend(a, passes).div(block.stored()), grid.dtype());
    }

    private VectorMask<Float> passes(FloatVector x, Block block, GradientRule rule) {
        // What is compared is an integer.
        float margin = rule == GradientRule.CLOSED ? 0.5f : -0.5f;
        FloatVector t = unclamped(x, block);
        return t.compare(GT, grid.lowest() - margin).and(t.compare(LT, grid.lowest() + 15 + margin));
    }

    private FloatVector unclamped(FloatVector x, Block block) {
        FloatVector u = Tiles.round(x.sub(block.origin()), grid.stepDtype());
        return Tiles.round(u.div(block.scale()), grid.stepDtype()).add(ROUNDER).sub(ROUNDER);
    }

    private boolean vectors() {
        return grid.dtype() != DType.F16;
    }
}
