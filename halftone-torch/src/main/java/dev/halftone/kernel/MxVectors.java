package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.MxOracle;
import dev.halftone.quant.MxOracle.Block;
import dev.halftone.quant.Numerics;
import jdk.incubator.vector.FloatVector;

/// The formulas of [MxOracle] in vectors.
///
/// What is left at the end of a block, when whole vectors have been cut from it, goes through the oracle's scalar
/// functions, and so does all of float16, in which nobody trains on a CPU.
record MxVectors(MxGrid grid) implements EachBlock {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        Block block = MxOracle.choose(Tiles.amax(x, from, to), grid);
        int i = from;
        if (grid.dtype() != DType.F16) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector number = round(scaled(FloatVector.fromArray(F, x, i), block));
                Tiles.round(number.mul(block.scale()), grid.dtype()).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = MxOracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        // It is the upstream gradient.
    }

    private FloatVector scaled(FloatVector x, Block block) {
        return (grid.numerics() == Numerics.TORCHAO ? x : x.add(0)).div(block.divisor());
    }

    /// [dev.halftone.quant.MxFormat#round]
    private FloatVector round(FloatVector v) {
        MiniFloat format = grid.format().format();
        if (format != null) {
            return MiniFloatVectors.round(v, format);
        }
        return Tiles.clamp(v.mul(64), -127, 127).add(ROUNDER).sub(ROUNDER).div(64);
    }
}
