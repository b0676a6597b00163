package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Nvfp4Oracle;
import dev.halftone.quant.Nvfp4Oracle.Block;
import jdk.incubator.vector.FloatVector;

/// The formulas of [Nvfp4Oracle] in vectors.
///
/// What is left at the end of a block, when whole vectors have been cut from it, goes through the oracle's scalar
/// functions, and so does all of float16, in which nobody trains on a CPU.
///
/// @param tensorScale the scale of the tensor that the blocks are of
record Nvfp4Vectors(Nvfp4Grid grid, float tensorScale) implements EachBlock {
    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        Block block = Nvfp4Oracle.choose(Tiles.amax(x, from, to), tensorScale, grid);
        int i = from;
        if (grid.dtype() != DType.F16) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector scaled = scaled(FloatVector.fromArray(F, x, i), block);
                FloatVector number = MiniFloatVectors.round(scaled, MiniFloat.E2M1);
                Tiles.round(number.mul(block.unit()), grid.dtype()).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = Nvfp4Oracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        // It is the upstream gradient.
    }

    private FloatVector scaled(FloatVector x, Block block) {
        if (grid.numerics() == Numerics.TORCHAO) {
            return x.mul(block.inverse());
        }
        return block.unit() == 0 ? FloatVector.zero(F) : x.add(0).div(block.unit());
    }
}
