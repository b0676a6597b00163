package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;

/// A grid's arithmetic in vectors, on blocks that stand in a float32 array.
///
/// Each value is computed by itself, and minimum and maximum do not depend on the order, so the bits are the same for
/// every vector width (chosen by the JVM: 128, 256 or 512 bits) and every split of the work among threads.
interface VectorBlocks {
    /// Replaces all blocks of `x[0, count)` by what remains of them after quantization.
    ///
    /// @param group values in a block
    void fakeQuantizeAll(float[] x, int count, int group);

    /// Replaces the upstream gradients of all blocks of `x[0, count)` by the gradients of the blocks.
    ///
    /// @param x what it holds afterwards is of no use
    void gradientAll(float[] x, float[] g, int count, int group, GradientRule rule);
}
