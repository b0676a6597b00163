package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;

/// A grid's arithmetic in vectors, one block after the other.
interface EachBlock extends VectorBlocks {
    /// Replaces the block `x[from, to)` by what remains of it after quantization.
    void fakeQuantize(float[] x, int from, int to);

    /// Replaces the upstream gradient `g[from, to)` of the block `x[from, to)` by the gradient of the block.
    void gradient(float[] x, float[] g, int from, int to, GradientRule rule);

    @Override
    default void fakeQuantizeAll(float[] x, int count, int group) {
        for (int i = 0; i < count; i += group) {
            fakeQuantize(x, i, i + group);
        }
    }

    @Override
    default void gradientAll(float[] x, float[] g, int count, int group, GradientRule rule) {
        for (int i = 0; i < count; i += group) {
            gradient(x, g, i, i + group, rule);
        }
    }
}
