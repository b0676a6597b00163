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
/// What is left at the end of a block, when whole vectors have been cut from it, goes through the oracle's scalar
/// functions, and so does all of float16, in which nobody trains on a CPU.
///
/// On two cores with AVX-512, a bfloat16 weight of 1536x576 in groups of 32 takes 0.4 ms, and its gradient by
/// [IntxNotes] 0.2 ms: an eighth and a twentieth of what [AtenIntx] takes (best of 200 runs by `KernelBench`, which
/// states the command).
///
/// @param given what every block is quantized with; null where each chooses for itself
record IntxVectors(IntxGrid grid, @Nullable Block given) implements VectorBlocks {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22; codes are.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        fakeQuantize(x, from, to, block(x, from, to), grid);
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        if (rule != GradientRule.IDENTITY) {
            gradient(x, g, from, to, block(x, from, to), grid, rule);
        }
    }

    private Block block(float[] x, int from, int to) {
        return given == null ? choose(x, from, to, grid) : given;
    }

    @Override
    public void fakeQuantizeAll(float[] x, int count, int group) {
        Block[] blocks = blocks(x, count, group);
        for (int b = 0; b < blocks.length; b++) {
            fakeQuantize(x, b * group, (b + 1) * group, blocks[b], grid);
        }
    }

    @Override
    public void gradientAll(float[] x, float[] g, int count, int group, GradientRule rule) {
        if (rule != GradientRule.IDENTITY) {
            Block[] blocks = blocks(x, count, group);
            for (int b = 0; b < blocks.length; b++) {
                gradient(x, g, b * group, (b + 1) * group, blocks[b], grid, rule);
            }
        }
    }

    /// [#fakeQuantize] of a block, and where its gradient passes: bit `i` of the words from `word` on.
    void fakeQuantize(float[] x, int from, int count, Block block, int[] passes, int word, GradientRule rule) {
        int i = 0;
        if (vectors(grid)) {
            float margin = margin(rule);
            for (; i <= count - LANES; i += LANES) {
                FloatVector t = unclamped(FloatVector.fromArray(F, x, from + i), block, grid);
                note(passes, word, i, (int) passes(t, grid, margin).toLong());
                offset(t, block, grid).intoArray(x, from + i);
            }
            Tiles.scale(x, from, i, block.scale(), grid.dtype());
        }
        for (; i < count; i++) {
            note(passes, word, i, IntxOracle.passes(x[from + i], block, grid, rule) ? 1 : 0);
            x[from + i] = IntxOracle.fakeQuantize(x[from + i], block, grid);
        }
    }

    /// The first bits of a word replace what stood there.
    private static void note(int[] passes, int word, int i, int bits) {
        int at = word + i / Integer.SIZE;
        int shift = i % Integer.SIZE;
        passes[at] = shift == 0 ? bits : passes[at] | bits << shift;
    }

    /// In place of `g`, by the bits of where it passes.
    static void gradient(
            float[] g, int from, int count, float scale, float inverse, IntxGrid grid, int[] passes, int word) {
        int i = 0;
        if (vectors(grid)) {
            for (; i <= count - LANES; i += LANES) {
                FloatVector a =
                        Tiles.round(FloatVector.fromArray(F, g, from + i).mul(scale), grid.dtype());
                FloatVector kept = FloatVector.zero(F).blend(a, mask(passes, word, i));
                Tiles.round(kept.mul(inverse), grid.dtype()).intoArray(g, from + i);
            }
        }
        for (; i < count; i++) {
            boolean pass = (passes[word + i / Integer.SIZE] >>> i & 1) != 0;
            float a = pass ? Rounding.round(g[from + i] * scale, grid.dtype()) : 0;
            g[from + i] = Rounding.round(a * inverse, grid.dtype());
        }
    }

    private static VectorMask<Float> mask(int[] passes, int word, int i) {
        return VectorMask.fromLong(F, passes[word + i / Integer.SIZE] >>> i);
    }

    /// Scales and zero points of all blocks of `x[0, count)`: those of symmetric blocks in vectors, too.
    Block[] blocks(float[] x, int count, int group) {
        Block[] blocks = new Block[count / group];
        if (given != null || !grid.symmetric() || !vectors(grid)) {
            for (int b = 0; b < blocks.length; b++) {
                blocks[b] = block(x, b * group, (b + 1) * group);
            }
            return blocks;
        }
        float[] scales = new float[blocks.length + LANES];
        float[] inverses = new float[scales.length];
        for (int b = 0; b < blocks.length; b++) {
            scales[b] = Tiles.amax(x, b * group, (b + 1) * group);
        }
        for (int b = 0; b < blocks.length; b += LANES) {
            FloatVector range = FloatVector.fromArray(F, scales, b);
            FloatVector scale =
                    Tiles.round(range.div(grid.steps()), grid.dtype()).max(grid.eps());
            scale.intoArray(scales, b);
            Tiles.round(FloatVector.broadcast(F, 1).div(scale), grid.scaleDtype())
                    .intoArray(inverses, b);
        }
        for (int b = 0; b < blocks.length; b++) {
            blocks[b] = new Block(scales[b], inverses[b], 0);
        }
        return blocks;
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
        int[] passes = new int[Math.ceilDiv(to - from, Integer.SIZE)];
        note(x, from, to - from, block, grid, rule, passes);
        gradient(g, from, to - from, block.scale(), block.inverse(), grid, passes, 0);
    }

    /// Where the gradient of a block passes.
    private static void note(
            float[] x, int from, int count, Block block, IntxGrid grid, GradientRule rule, int[] passes) {
        int i = 0;
        if (vectors(grid)) {
            float margin = margin(rule);
            for (; i <= count - LANES; i += LANES) {
                FloatVector t = unclamped(FloatVector.fromArray(F, x, from + i), block, grid);
                note(passes, 0, i, (int) passes(t, grid, margin).toLong());
            }
        }
        for (; i < count; i++) {
            note(passes, 0, i, IntxOracle.passes(x[from + i], block, grid, rule) ? 1 : 0);
        }
    }

    /// What a symmetric block's scale gradient adds up from: see [LearnedOracle.Terms].
    static void terms(float[] x, float[] g, LearnedOracle.Terms terms, Block block, IntxGrid grid, GradientRule rule) {
        GradientRule stops = rule == GradientRule.IDENTITY ? GradientRule.CLOSED : rule;
        int whole = vectors(grid) ? x.length - x.length % LANES : 0;
        int[] passes = new int[Math.ceilDiv(x.length, Integer.SIZE)];
        note(x, 0, whole, block, grid, stops, passes);
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
            float[] x, float[] g, int whole, float[] reciprocals, int[] passes, Block block, IntxGrid grid) {
        for (int i = 0; i < whole; i += LANES) {
            FloatVector a = Tiles.round(FloatVector.fromArray(F, g, i).mul(block.scale()), grid.dtype());
            FloatVector kept = FloatVector.zero(F).blend(a, mask(passes, 0, i));
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

    /// The code before it is clamped. The sum with the zero point needs no rounding: it is exact up to 256 in
    /// bfloat16, and what lies beyond is clamped whatever it is.
    private static FloatVector unclamped(FloatVector x, Block block, IntxGrid grid) {
        FloatVector p = Tiles.round(x.mul(block.inverse()), grid.scaleDtype());
        return p.add(ROUNDER).sub(ROUNDER).add(block.zeroPoint());
    }

    private static boolean vectors(IntxGrid grid) {
        return grid.dtype() != DType.F16;
    }
}
