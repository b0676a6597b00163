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
import java.util.Arrays;
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
        int whole = vectors() ? to - (to - from) % LANES : from;
        steps(x, from, whole, block);
        levels(x, from, whole);
        values(x, from, whole, block);
        for (int i = whole; i < to; i++) {
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
        int whole = vectors() ? to - (to - from) % LANES : from;
        float[] steps = Arrays.copyOfRange(x, from, whole);
        steps(steps, 0, steps.length, block);
        if (grid.rule() == Int4Grid.Rule.TINYGEMM) {
            Tiles.scale(g, from, whole - from, block.stored(), grid.dtype());
        }
        pass(g, from, steps, rule);
        if (grid.rule() == Int4Grid.Rule.TINYGEMM) {
            unscale(g, from, whole, block);
        }
        for (int i = whole; i < to; i++) {
            g[i] = Int4Oracle.gradient(x[i], g[i], block, grid, rule);
        }
    }

    private Block choose(float[] x, int from, int to) {
        Tiles.Range range = Tiles.range(x, from, to);
        return Int4Oracle.choose(range.min(), range.max(), grid);
    }

    // A method for each short loop: C2 does not inline as many vector operations as one loop of them all would
    // have, and makes objects of the vectors.

    /// How many steps lie between the origin and each value: whole numbers where they are not far out.
    private void steps(float[] x, int from, int to, Block block) {
        for (int i = from; i < to; i += LANES) {
            FloatVector u = Tiles.round(FloatVector.fromArray(F, x, i).sub(block.origin()), grid.stepDtype());
            Tiles.round(u.div(block.scale()), grid.stepDtype())
                    .add(ROUNDER)
                    .sub(ROUNDER)
                    .intoArray(x, i);
        }
    }

    private void levels(float[] x, int from, int to) {
        float recentre = grid.recentre() + grid.middle();
        for (int i = from; i < to; i += LANES) {
            FloatVector t = FloatVector.fromArray(F, x, i);
            Tiles.clamp(t, grid.lowest(), grid.lowest() + 15).sub(recentre).intoArray(x, i);
        }
    }

    private void values(float[] x, int from, int to, Block block) {
        for (int i = from; i < to; i += LANES) {
            FloatVector level = FloatVector.fromArray(F, x, i);
            FloatVector product = Tiles.round(level.mul(block.stored()), grid.productDtype());
            Tiles.round(product.add(block.zero()), grid.dtype()).intoArray(x, i);
        }
    }

    /// Zeroes what does not pass. The steps are whole numbers, so the bounds may lie between them.
    private void pass(float[] g, int from, float[] steps, GradientRule rule) {
        float margin = rule == GradientRule.CLOSED ? 0.5f : -0.5f;
        for (int i = 0; i < steps.length; i += LANES) {
            FloatVector t = FloatVector.fromArray(F, steps, i);
            VectorMask<Float> passes =
                    t.compare(GT, grid.lowest() - margin).and(t.compare(LT, grid.lowest() + 15 + margin));
            FloatVector.zero(F)
                    .blend(FloatVector.fromArray(F, g, from + i), passes)
                    .intoArray(g, from + i);
        }
    }

    private void unscale(float[] g, int from, int to, Block block) {
        for (int i = from; i < to; i += LANES) {
            Tiles.round(FloatVector.fromArray(F, g, i).div(block.stored()), grid.dtype())
                    .intoArray(g, i);
        }
    }

    private boolean vectors() {
        return grid.dtype() != DType.F16;
    }
}
