package dev.halftone.nn;

import org.bytedeco.pytorch.Tensor;

/// A matrix that a layer multiplies with: a trained [Parameter], or codes and scales after `convert`.
public interface Weight extends AutoCloseable {
    /// What a forward pass uses, in the dtype of the computation. Shape `[N, K]` for a linear layer.
    Tensor value();

    /// The sizes of [#value()].
    long[] shape();

    /// Frees the native memory; nothing else may be called afterwards. Closing twice is harmless.
    @Override
    void close();
}
