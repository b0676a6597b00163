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
/// Groups that are not whole vectors go through the oracle's scalar functions, and so do all of float16 and the
/// gradient that flows through minimum and maximum, whose sums the oracle orders.
record Int4Vectors(Int4Grid grid) implements NotedBlocks {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22. What is
    /// larger is clamped, whatever it becomes.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantizeAll(
            float[] x, int count, int group, GradientRule rule, float[] scales, Passes passes, int first) {
        if (!vectors(group)) {
            for (int from = 0; from < count; from += group) {
                scalars(x, from, from + group, rule, scales, passes, first + from / group);
            }
            return;
        }
        int blocks = count / group;
        float[] origins = new float[blocks];
        float[] divisors = new float[blocks];
        float[] zeros = new float[blocks];
        for (int b = 0; b < blocks; b++) {
            Tiles.Range range = Tiles.range(x, b * group, (b + 1) * group);
            Block block = Int4Oracle.choose(range.min(), range.max(), grid);
            origins[b] = block.origin();
            divisors[b] = block.scale();
            zeros[b] = block.zero();
            scales[first + b] = block.stored();
        }
        steps(x, count, group, origins, divisors);
        note(x, count, rule, passes, first);
        levels(x, count);
        values(x, count, group, scales, first, zeros);
    }

    private void scalars(float[] x, int from, int to, GradientRule rule, float[] scales, Passes passes, int b) {
        Block block = Int4Oracle.choose(x, from, to, grid);
        scales[b] = block.stored();
        for (int i = from; i < to; i++) {
            passes.set(b, i - from, Int4Oracle.passes(x[i], block, grid, rule));
            x[i] = Int4Oracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradientAll(float[] g, int count, int group, float[] scales, Passes passes, int first) {
        if (!vectors(group)) {
            for (int i = 0; i < count; i++) {
                int b = first + i / group;
                g[i] = Int4Oracle.gradient(g[i], passes.get(b, i % group), scales[b], grid);
            }
            return;
        }
        if (grid.rule() != Int4Grid.Rule.TINYGEMM) {
            pass(g, count, passes, first);
            return;
        }
        Tiles.scale(g, count, group, scales, first, grid.dtype());
        pass(g, count, passes, first);
        unscale(g, count, group, scales, first);
    }

    @Override
    public void gradientAll(float[] x, float[] g, int count, int group, GradientRule rule) {
        if (!grid.scaleGradient()) {
            NotedBlocks.super.gradientAll(x, g, count, group, rule);
            return;
        }
        for (int from = 0; from < count; from += group) {
            Int4Oracle.gradient(x, g, from, from + group, grid, rule);
        }
    }

    // A method for each short loop: C2 does not inline as many vector operations as one loop of them all would
    // have, and makes objects of the vectors. Each runs through all blocks, whose few vectors would not pay for a
    // loop of their own.

    /// How many steps lie between the origin and each value: whole numbers where they are not far out.
    private void steps(float[] x, int count, int group, float[] origins, float[] divisors) {
        for (int i = 0, b = 0, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
            }
            FloatVector u = Tiles.round(FloatVector.fromArray(F, x, i).sub(origins[b]), grid.stepDtype());
            Tiles.round(u.div(divisors[b]), grid.stepDtype())
                    .add(ROUNDER)
                    .sub(ROUNDER)
                    .intoArray(x, i);
        }
    }

    /// Notes where the gradient passes, from the steps: whole numbers, so the bounds may lie between them.
    private void note(float[] steps, int count, GradientRule rule, Passes passes, int first) {
        float margin = rule == GradientRule.CLOSED ? 0.5f : -0.5f;
        float low = grid.lowest() - margin;
        float high = grid.lowest() + 15 + margin;
        for (int i = 0; i < count; i += LANES) {
            FloatVector t = FloatVector.fromArray(F, steps, i);
            passes.set(
                    first, i, (int) t.compare(GT, low).and(t.compare(LT, high)).toLong());
        }
    }

    /// Without [Tiles#clamp], of whose masks C2 made objects in this loop.
    private void levels(float[] steps, int count) {
        float low = grid.lowest();
        float high = low + 15;
        float recentre = grid.recentre() + grid.middle();
        for (int i = 0; i < count; i += LANES) {
            FloatVector t = FloatVector.fromArray(F, steps, i);
            t.max(low).min(high).sub(recentre).intoArray(steps, i);
        }
    }

    private void values(float[] levels, int count, int group, float[] scales, int first, float[] zeros) {
        for (int i = 0, b = 0, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
            }
            FloatVector level = FloatVector.fromArray(F, levels, i);
            FloatVector product = Tiles.round(level.mul(scales[first + b]), grid.productDtype());
            Tiles.round(product.add(zeros[b]), grid.dtype()).intoArray(levels, i);
        }
    }

    /// Zeroes what does not pass.
    private static void pass(float[] g, int count, Passes passes, int first) {
        for (int i = 0; i < count; i += LANES) {
            VectorMask<Float> pass = VectorMask.fromLong(F, passes.bits(first, i));
            FloatVector.zero(F).blend(FloatVector.fromArray(F, g, i), pass).intoArray(g, i);
        }
    }

    private void unscale(float[] g, int count, int group, float[] scales, int first) {
        for (int i = 0, b = first, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
            }
            Tiles.round(FloatVector.fromArray(F, g, i).div(scales[b]), grid.dtype())
                    .intoArray(g, i);
        }
    }

    private boolean vectors(int group) {
        return Passes.dense(group) && grid.dtype() != DType.F16;
    }
}
