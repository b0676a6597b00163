package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;

/// A grid's arithmetic in vectors, on one block at a time that stands in a float32 array.
///
/// Each value is computed by itself, and minimum and maximum do not depend on the order, so the bits are the same for
/// every vector width (chosen by the JVM: 128, 256 or 512 bits) and every split of the work among threads.
interface VectorBlocks {
    /// Replaces the block `x[from, to)` by what remains of it after quantization.
    void fakeQuantize(float[] x, int from, int to);

    /// Replaces all blocks of `x[0, count)`.
    default void fakeQuantizeAll(float[] x, int count, int group) {
        for (int i = 0; i < count; i += group) {
            fakeQuantize(x, i, i + group);
        }
    }

    /// Replaces the upstream gradient `g[from, to)` of the block `x[from, to)` by the gradient of the block.
    void gradient(float[] x, float[] g, int from, int to, GradientRule rule);

    /// Replaces the upstream gradients of all blocks of `x[0, count)`.
    default void gradientAll(float[] x, float[] g, int count, int group, GradientRule rule) {
        for (int i = 0; i < count; i += group) {
            gradient(x, g, i, i + group, rule);
        }
    }
}
