package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;

/// A grid's arithmetic in vectors, whose gradients need a scale for each block and a bit for each value.
interface NotedBlocks extends VectorBlocks {
    Grid grid();

    /// Replaces all blocks of `x[0, count)` by what remains of them after quantization, and notes what their
    /// gradients need, from the block `first` on.
    ///
    /// @param rule CLOSED or OPEN
    /// @param scales one a block
    void fakeQuantizeAll(float[] x, int count, int group, GradientRule rule, float[] scales, Passes passes, int first);

    /// Replaces all upstream gradients of `g[0, count)` by the gradients of the blocks, noted from `first` on.
    void gradientAll(float[] g, int count, int group, float[] scales, Passes passes, int first);

    @Override
    default void fakeQuantizeAll(float[] x, int count, int group) {
        int blocks = count / group;
        fakeQuantizeAll(x, count, group, GradientRule.CLOSED, new float[blocks], new Passes(blocks, group), 0);
    }

    @Override
    default void gradientAll(float[] x, float[] g, int count, int group, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return;
        }
        int blocks = count / group;
        float[] scales = new float[blocks];
        Passes passes = new Passes(blocks, group);
        fakeQuantizeAll(x, count, group, rule, scales, passes, 0);
        gradientAll(g, count, group, scales, passes, 0);
    }
}
