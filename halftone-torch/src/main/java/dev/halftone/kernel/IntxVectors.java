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
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import org.jspecify.annotations.Nullable;

/// The formulas of [IntxOracle] in vectors.
///
/// What is left at the end of a block, when whole vectors have been cut from it, goes through the oracle's scalar
/// functions, and so does all of float16, in which nobody trains on a CPU.
///
/// On two cores with AVX-512, a bfloat16 weight of 1536x576 in groups of 32 takes 0.6 ms, and its gradient 0.9 ms:
/// a quarter and a sixth of what [AtenIntx] takes (best of 200 runs by `IntxKernelBench`, which states the
/// command).
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

    /// Where the gradient of a block stops (one byte a value, 0 or 1, from `first` on).
    ///
    /// @return its scale
    float stops(float[] x, MemorySegment stopped, long first, GradientRule rule) {
        boolean[] passes = new boolean[x.length];
        Block block = block(x, 0, x.length);
        passes(x, passes, block, grid, rule);
        for (int i = 0; i < x.length; i++) {
            stopped.set(ValueLayout.JAVA_BYTE, first + i, (byte) (passes[i] ? 0 : 1));
        }
        return block.scale();
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
                FloatVector t = unclamped(FloatVector.fromArray(F, x, i), block, grid);
                FloatVector q = t.max(grid.qmin()).min(grid.qmax()).sub(block.zeroPoint());
                Tiles.round(q.mul(block.scale()), grid.dtype()).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = IntxOracle.fakeQuantize(x[i], block, grid);
        }
    }

    /// In place of `g`.
    static void gradient(float[] x, float[] g, int from, int to, Block block, IntxGrid grid, GradientRule rule) {
        int i = from;
        if (vectors(grid)) {
            for (; i <= to - LANES; i += LANES) {
                VectorMask<Float> passes = passes(FloatVector.fromArray(F, x, i), block, grid, rule);
                FloatVector a = Tiles.round(FloatVector.fromArray(F, g, i).mul(block.scale()), grid.dtype());
                FloatVector kept = FloatVector.zero(F).blend(a, passes);
                Tiles.round(kept.mul(block.inverse()), grid.dtype()).intoArray(g, i);
            }
        }
        for (; i < to; i++) {
            g[i] = IntxOracle.gradient(x[i], g[i], block, grid, rule);
        }
    }

    /// What a symmetric block's scale gradient adds up from: see [LearnedOracle.Terms].
    static void terms(float[] x, float[] g, LearnedOracle.Terms terms, Block block, IntxGrid grid, GradientRule rule) {
        GradientRule stops = rule == GradientRule.IDENTITY ? GradientRule.CLOSED : rule;
        int i = 0;
        if (vectors(grid)) {
            for (; i <= x.length - LANES; i += LANES) {
                FloatVector values = FloatVector.fromArray(F, x, i);
                FloatVector upstream = FloatVector.fromArray(F, g, i);
                FloatVector q = unclamped(values, block, grid).max(grid.qmin()).min(grid.qmax());
                upstream.mul(q).intoArray(terms.products(), i);
                FloatVector a = Tiles.round(upstream.mul(block.scale()), grid.dtype());
                FloatVector kept = FloatVector.zero(F).blend(a, passes(values, block, grid, stops));
                kept.mul(values).intoArray(terms.reciprocals(), i);
            }
        }
        for (; i < x.length; i++) {
            terms.set(i, x[i], g[i], block, grid, rule);
        }
    }

    private static void passes(float[] x, boolean[] passes, Block block, IntxGrid grid, GradientRule rule) {
        int i = 0;
        if (vectors(grid)) {
            for (; i <= x.length - LANES; i += LANES) {
                passes(FloatVector.fromArray(F, x, i), block, grid, rule).intoArray(passes, i);
            }
        }
        for (; i < x.length; i++) {
            passes[i] = IntxOracle.passes(x[i], block, grid, rule);
        }
    }

    private static VectorMask<Float> passes(FloatVector x, Block block, IntxGrid grid, GradientRule rule) {
        // What is compared is an integer.
        float margin = rule == GradientRule.CLOSED ? 0.5f : -0.5f;
        FloatVector t = unclamped(x, block, grid);
        return t.compare(GT, grid.qmin() - margin).and(t.compare(LT, grid.qmax() + margin));
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
