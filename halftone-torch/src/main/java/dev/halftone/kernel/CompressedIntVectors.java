package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LE;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.CompressedIntOracle;
import dev.halftone.quant.CompressedIntOracle.Block;
import dev.halftone.quant.GradientRule;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import org.jspecify.annotations.Nullable;

/// The formulas of [CompressedIntOracle] in vectors. What is left at the end of a block, and all of float16,
/// goes through the oracle's scalar functions.
///
/// @param given what every block is quantized with; null where each chooses for itself
record CompressedIntVectors(
        CompressedIntGrid grid, @Nullable Block given) implements EachBlock {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22. Zeros
    /// become +0.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        Block block = choose(x, from, to);
        int i = from;
        if (vectors()) {
            for (; i <= to - LANES; i += LANES) {
                unclamped(FloatVector.fromArray(F, x, i), block).intoArray(x, i);
            }
            offsets(x, from, i, block);
            Tiles.scale(x, from, i - from, block.scale(), grid.dtype());
        }
        for (; i < to; i++) {
            x[i] = CompressedIntOracle.fakeQuantize(x[i], block, grid);
        }
    }

    /// Codes less their zero point, in place of codes before they are clamped. A loop of its own: C2 does not inline as
    /// many vector operations as one would have.
    private void offsets(float[] x, int from, int to, Block block) {
        for (int i = from; i < to; i += LANES) {
            FloatVector clamped = Tiles.clamp(FloatVector.fromArray(F, x, i), grid.qmin(), grid.qmax());
            // At most 256 in magnitude: the difference is exact in every type.
            clamped.add(ROUNDER).sub(ROUNDER).sub(block.zeroPoint()).intoArray(x, i);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return;
        }
        Block block = choose(x, from, to);
        int i = from;
        if (vectors()) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector t = unclamped(FloatVector.fromArray(F, x, i), block);
                FloatVector upstream = FloatVector.fromArray(F, g, i);
                FloatVector.zero(F).blend(upstream, passes(t, rule)).intoArray(g, i);
            }
        }
        for (; i < to; i++) {
            g[i] = CompressedIntOracle.passes(x[i], block, grid, rule) ? g[i] : 0;
        }
    }

    private VectorMask<Float> passes(FloatVector t, GradientRule rule) {
        return rule == GradientRule.CLOSED
                ? t.compare(GE, grid.qmin()).and(t.compare(LE, grid.qmax()))
                : t.compare(GT, grid.qmin()).and(t.compare(LT, grid.qmax()));
    }

    private Block choose(float[] x, int from, int to) {
        if (given != null) {
            return given;
        }
        Tiles.Range range = Tiles.range(x, from, to);
        float lo = Math.min(0, range.min());
        float hi = Math.max(0, range.max());
        return CompressedIntOracle.choose(lo, hi, grid);
    }

    private FloatVector unclamped(FloatVector x, Block block) {
        FloatVector quotient = Tiles.round(x.div(block.scale()), grid.dtype());
        return Tiles.round(quotient.add(block.zeroPoint()), grid.dtype());
    }

    private boolean vectors() {
        return grid.dtype() != DType.F16;
    }
}
