package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxOracle;
import dev.halftone.quant.IntxOracle.Block;
import dev.halftone.quant.LearnedOracle;
import dev.halftone.quant.Rounding;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import org.jspecify.annotations.Nullable;

/// The formulas of [IntxOracle] in vectors.
///
/// Blocks that fill no whole words of [Passes] go through vectors one by one, what is left at their ends goes
/// through the oracle's scalar functions, and so does all of float16, in which nobody trains on a CPU.
///
/// @param given what every block is quantized with; null where each chooses for itself
record IntxVectors(IntxGrid grid, @Nullable Block given) implements NotedBlocks {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22; codes are.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantizeAll(
            float[] x, int count, int group, GradientRule rule, float[] scales, Passes passes, int first) {
        if (!dense(group)) {
            for (int from = 0; from < count; from += group) {
                Block block = block(x, from, from + group);
                scales[first + from / group] = block.scale();
                note(x, from, group, block, grid, rule, passes, first + from / group);
                fakeQuantize(x, from, from + group, block, grid);
            }
            return;
        }
        float[] inverses = new float[count / group];
        float[] zeroPoints = new float[count / group];
        if (grid.symmetric() && given == null) {
            symmetricScales(x, count, group, scales, first);
            for (int b = 0; b < inverses.length; b++) {
                inverses[b] = inverse(scales[first + b], grid);
            }
        } else {
            for (int b = 0; b < inverses.length; b++) {
                Block block = block(x, b * group, (b + 1) * group);
                scales[first + b] = block.scale();
                inverses[b] = block.inverse();
                zeroPoints[b] = block.zeroPoint();
            }
        }
        codes(x, count, group, inverses, zeroPoints);
        note(x, count, rule, passes, first);
        offsets(x, count, group, zeroPoints);
        Tiles.scale(x, count, group, scales, first, grid.dtype());
    }

    private Block block(float[] x, int from, int to) {
        return given == null ? choose(x, from, to, grid) : given;
    }

    /// The scales of all blocks of `x[0, count)`.
    private void symmetricScales(float[] x, int count, int group, float[] scales, int first) {
        int end = first + count / group;
        for (int b = first, from = 0; b < end; b++, from += group) {
            scales[b] = Tiles.amax(x, from, from + group);
        }
        int b = first;
        for (; b <= end - LANES; b += LANES) {
            FloatVector range = FloatVector.fromArray(F, scales, b);
            Tiles.round(range.div(grid.steps()), grid.dtype()).max(grid.eps()).intoArray(scales, b);
        }
        for (; b < end; b++) {
            scales[b] = IntxOracle.choose(0, scales[b], grid).scale();
        }
    }

    private static float inverse(float scale, IntxGrid grid) {
        return Rounding.round(1 / scale, grid.scaleDtype());
    }

    // A method for each short loop: C2 does not inline as many vector operations as one loop of them all would
    // have, and makes objects of the vectors. Each runs through all blocks, whose few vectors would not pay for a
    // loop of their own.

    /// The codes before they are clamped.
    private void codes(float[] x, int count, int group, float[] inverses, float[] zeroPoints) {
        for (int i = 0, b = 0, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
            }
            unclamped(FloatVector.fromArray(F, x, i), inverses[b], zeroPoints[b], grid)
                    .intoArray(x, i);
        }
    }

    private void note(float[] codes, int count, GradientRule rule, Passes passes, int first) {
        float margin = margin(rule);
        for (int i = 0; i < count; i += LANES) {
            FloatVector t = FloatVector.fromArray(F, codes, i);
            passes.set(first, i, (int) passes(t, grid, margin).toLong());
        }
    }

    /// The codes less their zero points. Without [Tiles#clamp], of whose masks C2 made objects in this loop.
    private void offsets(float[] codes, int count, int group, float[] zeroPoints) {
        float low = grid.qmin();
        float high = grid.qmax();
        for (int i = 0, b = 0, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
            }
            FloatVector t = FloatVector.fromArray(F, codes, i);
            t.max(low).min(high).sub(zeroPoints[b]).intoArray(codes, i);
        }
    }

    @Override
    public void gradientAll(float[] g, int count, int group, float[] scales, Passes passes, int first) {
        if (!dense(group)) {
            for (int from = 0; from < count; from += group) {
                float scale = scales[first + from / group];
                gradient(g, from, group, scale, inverse(scale, grid), grid, passes, first + from / group);
            }
            return;
        }
        float scale = scales[first];
        float inverse = inverse(scale, grid);
        for (int i = 0, b = first, end = group; i < count; i += LANES) {
            if (i == end) {
                b++;
                end += group;
                scale = scales[b];
                inverse = inverse(scale, grid);
            }
            FloatVector a = Tiles.round(FloatVector.fromArray(F, g, i).mul(scale), grid.dtype());
            FloatVector kept = FloatVector.zero(F).blend(a, VectorMask.fromLong(F, passes.bits(first, i)));
            Tiles.round(kept.mul(inverse), grid.dtype()).intoArray(g, i);
        }
    }

    /// In place of `g`, by the bits of where it passes.
    private static void gradient(
            float[] g, int from, int count, float scale, float inverse, IntxGrid grid, Passes passes, int b) {
        int i = 0;
        if (vectors(grid)) {
            for (; i <= count - LANES; i += LANES) {
                FloatVector a =
                        Tiles.round(FloatVector.fromArray(F, g, from + i).mul(scale), grid.dtype());
                FloatVector kept = FloatVector.zero(F).blend(a, VectorMask.fromLong(F, passes.bits(b, i)));
                Tiles.round(kept.mul(inverse), grid.dtype()).intoArray(g, from + i);
            }
        }
        for (; i < count; i++) {
            float a = passes.get(b, i) ? Rounding.round(g[from + i] * scale, grid.dtype()) : 0;
            g[from + i] = Rounding.round(a * inverse, grid.dtype());
        }
    }

    /// Scale and zero point of `x[from, to)`.
    private static Block choose(float[] x, int from, int to, IntxGrid grid) {
        Tiles.Extremes e = Tiles.extremes(x, from, to);
        return IntxOracle.choose(-Float.intBitsToFloat(e.low()), Float.intBitsToFloat(e.high()), grid);
    }

    /// In place.
    static void fakeQuantize(float[] x, int from, int to, Block block, IntxGrid grid) {
        int i = from;
        if (vectors(grid)) {
            for (; i <= to - LANES; i += LANES) {
                offset(unclamped(FloatVector.fromArray(F, x, i), block, grid), block, grid)
                        .intoArray(x, i);
            }
            Tiles.scale(x, from, i - from, block.scale(), grid.dtype());
        }
        for (; i < to; i++) {
            x[i] = IntxOracle.fakeQuantize(x[i], block, grid);
        }
    }

    /// In place of `g`.
    static void gradient(float[] x, float[] g, int from, int to, Block block, IntxGrid grid, GradientRule rule) {
        Passes passes = new Passes(1, to - from);
        note(x, from, to - from, block, grid, rule, passes, 0);
        gradient(g, from, to - from, block.scale(), block.inverse(), grid, passes, 0);
    }

    /// Where the gradient of a block passes.
    private static void note(
            float[] x, int from, int count, Block block, IntxGrid grid, GradientRule rule, Passes passes, int b) {
        int i = 0;
        if (vectors(grid)) {
            float margin = margin(rule);
            for (; i <= count - LANES; i += LANES) {
                FloatVector t = unclamped(FloatVector.fromArray(F, x, from + i), block, grid);
                passes.set(b, i, (int) passes(t, grid, margin).toLong());
            }
        }
        for (; i < count; i++) {
            passes.set(b, i, IntxOracle.passes(x[from + i], block, grid, rule));
        }
    }

    /// What a symmetric block's scale gradient adds up from: see [LearnedOracle.Terms].
    static void terms(float[] x, float[] g, LearnedOracle.Terms terms, Block block, IntxGrid grid, GradientRule rule) {
        GradientRule stops = rule == GradientRule.IDENTITY ? GradientRule.CLOSED : rule;
        int whole = vectors(grid) ? x.length - x.length % LANES : 0;
        Passes passes = new Passes(1, x.length);
        note(x, 0, whole, block, grid, stops, passes, 0);
        products(x, g, whole, terms.products(), block, grid);
        reciprocals(x, g, whole, terms.reciprocals(), passes, block, grid);
        for (int i = whole; i < x.length; i++) {
            terms.set(i, x[i], g[i], block, grid, rule);
        }
    }

    private static void products(float[] x, float[] g, int whole, float[] products, Block block, IntxGrid grid) {
        for (int i = 0; i < whole; i += LANES) {
            FloatVector q = offset(unclamped(FloatVector.fromArray(F, x, i), block, grid), block, grid);
            FloatVector.fromArray(F, g, i).mul(q).intoArray(products, i);
        }
    }

    private static void reciprocals(
            float[] x, float[] g, int whole, float[] reciprocals, Passes passes, Block block, IntxGrid grid) {
        for (int i = 0; i < whole; i += LANES) {
            FloatVector a = Tiles.round(FloatVector.fromArray(F, g, i).mul(block.scale()), grid.dtype());
            FloatVector kept = FloatVector.zero(F).blend(a, VectorMask.fromLong(F, passes.bits(0, i)));
            kept.mul(FloatVector.fromArray(F, x, i)).intoArray(reciprocals, i);
        }
    }

    /// How far beyond the smallest and the largest code the gradient passes: what is compared is an integer.
    private static float margin(GradientRule rule) {
        return rule == GradientRule.CLOSED ? 0.5f : -0.5f;
    }

    private static VectorMask<Float> passes(FloatVector t, IntxGrid grid, float margin) {
        return t.compare(GT, grid.qmin() - margin).and(t.compare(LT, grid.qmax() + margin));
    }

    /// The code less its zero point.
    private static FloatVector offset(FloatVector t, Block block, IntxGrid grid) {
        return Tiles.clamp(t, grid.qmin(), grid.qmax()).sub(block.zeroPoint());
    }

    private static FloatVector unclamped(FloatVector x, Block block, IntxGrid grid) {
        return unclamped(x, block.inverse(), block.zeroPoint(), grid);
    }

    /// The code before it is clamped. The sum with the zero point needs no rounding: it is exact up to 256 in
    /// bfloat16, and what lies beyond is clamped whatever it is.
    private static FloatVector unclamped(FloatVector x, float inverse, float zeroPoint, IntxGrid grid) {
        FloatVector p = Tiles.round(x.mul(inverse), grid.scaleDtype());
        return p.add(ROUNDER).sub(ROUNDER).add(zeroPoint);
    }

    private boolean dense(int group) {
        return Passes.dense(group) && vectors(grid);
    }

    private static boolean vectors(IntxGrid grid) {
        return grid.dtype() != DType.F16;
    }
}
