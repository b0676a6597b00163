package dev.halftone.kernel;

import static dev.halftone.kernel.Tiles.F;
import static dev.halftone.kernel.Tiles.LANES;
import static jdk.incubator.vector.VectorOperators.F2I;
import static jdk.incubator.vector.VectorOperators.I2F;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Q8Grid;
import dev.halftone.quant.Q8Oracle;
import dev.halftone.quant.Q8Oracle.Block;
import jdk.incubator.vector.FloatVector;

/// The formulas of [Q8Oracle] in vectors.
///
/// What is left at the end of a block, when whole vectors have been cut from it, goes through the oracle's scalar
/// functions, and so does all of float16, in which nobody trains on a CPU.
record Q8Vectors(Q8Grid grid) implements EachBlock {
    /// Added and subtracted again, it rounds to integers, half to even, what is smaller than 2^22.
    private static final float ROUNDER = 0x1.8p23f;

    @Override
    public void fakeQuantize(float[] x, int from, int to) {
        Block block = Q8Oracle.choose(Tiles.amax(x, from, to), grid);
        int i = from;
        if (grid.dtype() != DType.F16) {
            for (; i <= to - LANES; i += LANES) {
                FloatVector v = FloatVector.fromArray(F, x, i).mul(block.inverse());
                FloatVector q =
                        v.min(Q8Oracle.QMAX).max(-Q8Oracle.QMAX).add(ROUNDER).sub(ROUNDER);
                // Through integers: there is no NaN and no -0 among codes.
                FloatVector y = ((FloatVector) q.convert(F2I, 0).convert(I2F, 0)).mul(block.scale());
                Tiles.round(y, grid.dtype()).intoArray(x, i);
            }
        }
        for (; i < to; i++) {
            x[i] = Q8Oracle.fakeQuantize(x[i], block, grid);
        }
    }

    @Override
    public void gradient(float[] x, float[] g, int from, int to, GradientRule rule) {
        // It is the upstream gradient.
    }
}
