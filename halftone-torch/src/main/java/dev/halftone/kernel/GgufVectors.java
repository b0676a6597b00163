package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;
import static jdk.incubator.vector.VectorOperators.F2I;
import static jdk.incubator.vector.VectorOperators.GE;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.I2F;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.halftone.DType;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufLattice.Rule;
import dev.halftone.quant.GgufOracle;
import dev.halftone.quant.GgufOracle.Block;
import dev.halftone.quant.GradientRule;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/// The formulas of [GgufOracle] in vectors.
///
/// What is left at the end of a block, when whole vectors have been cut from it, goes through the oracle's scalar
/// functions, and so does all of float16, in which nobody trains on a CPU.
record GgufVectors(GgufGrid grid) implements EachBlock {

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        GgufLattice lattice = grid.lattice();
        Block block = choose(x, from, to, lattice);
        int i = from;
        if (grid.dtype() != DType.F16) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector y =
                        steps(FloatVector.fromArray(F, x, i), block, lattice).mul(block.scale());
                y = lattice.hasMinimum() ? y.add(block.minimum()) : y;
                Tiles.round(y, grid.dtype()).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = GgufOracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return;
        }
        GgufLattice lattice = grid.lattice();
        Block block = choose(x, from, to, lattice);
        float lower = GgufOracle.lower(lattice, rule);
        float upper = GgufOracle.upper(lattice, rule);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            FloatVector v = position(FloatVector.fromArray(F, x, i), block, lattice);
            FloatVector upstream = FloatVector.fromArray(F, g, i);
            FloatVector.zero(F)
                    .blend(upstream, v.compare(GE, lower).and(v.compare(LT, upper)))
                    .intoArray(g, i);
        }
        for (; i < to; i++) {
            g[i] = GgufOracle.passes(x[i], block, lattice, rule) ? g[i] : 0;
        }
    }

    private static Block choose(float[] x, int from, int to, GgufLattice lattice) {
        return lattice.rule() == Rule.RANGE ? range(x, from, to, lattice) : extreme(x, from, to, lattice);
    }

    /// Which of several zeros is the smallest value shows in the sign of the minimum, so those are looked at again.
    private static Block range(float[] x, int from, int to, GgufLattice lattice) {
        Tiles.Range range = Tiles.range(x, from, to);
        return range.min() == 0
                ? GgufOracle.choose(x, from, to, lattice)
                : GgufOracle.range(range.min(), range.max(), lattice);
    }

    /// Where the largest and the smallest value are as far from 0, the order of the values decides.
    private static Block extreme(float[] x, int from, int to, GgufLattice lattice) {
        Tiles.Extremes e = Tiles.extremes(x, from, to);
        if (e.high() == e.low()) {
            return GgufOracle.choose(x, from, to, lattice);
        }
        float m = e.high() > e.low() ? Float.intBitsToFloat(e.high()) : -Float.intBitsToFloat(e.low());
        return GgufOracle.extreme(m, lattice);
    }

    private static FloatVector position(FloatVector x, Block block, GgufLattice lattice) {
        FloatVector u = x.sub(block.min()).mul(block.inverse());
        return switch (lattice.rule()) {
            case EXTREME, RANGE -> u.add(0.5f - lattice.qmin());
            case MAGNITUDE, E2M1 -> u.abs();
        };
    }

    /// How many steps the codes stand for; zeros are +0.
    private static FloatVector steps(FloatVector x, Block block, GgufLattice lattice) {
        FloatVector v = position(x, block, lattice);
        return switch (lattice.rule()) {
            case EXTREME, RANGE -> {
                IntVector q = (IntVector) v.convert(F2I, 0);
                q = q.max(0).min(lattice.qmax() - lattice.qmin()).add(lattice.qmin());
                yield (FloatVector) q.convert(I2F, 0);
            }
            case MAGNITUDE -> {
                FloatVector inside = v.min(lattice.qmax());
                FloatVector whole = (FloatVector) inside.convert(F2I, 0).convert(I2F, 0);
                yield signed(whole.add(1, inside.sub(whole).compare(GE, 0.5f)), x);
            }
            case E2M1 -> signed(e2m1(v, lattice), x);
        };
    }

    /// The magnitude nearest to `v`: 0 and what is gained at each midpoint that lies below.
    private static FloatVector e2m1(FloatVector v, GgufLattice lattice) {
        FloatVector magnitude = FloatVector.zero(F);
        for (int i = 0; i < GgufOracle.midpoints(); i++) {
            float gain = GgufOracle.steps(i + 1, lattice) - GgufOracle.steps(i, lattice);
            magnitude = magnitude.add(gain, v.compare(GT, GgufOracle.midpoint(i)));
        }
        return magnitude;
    }

    private static FloatVector signed(FloatVector magnitude, FloatVector x) {
        return magnitude.blend(FloatVector.zero(F).sub(magnitude), x.compare(LT, 0));
    }
}
