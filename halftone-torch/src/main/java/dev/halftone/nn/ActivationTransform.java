package dev.halftone.nn;

import org.bytedeco.pytorch.Tensor;

/// A stage on the input of a linear layer: fake quantization of activations. Part of the autograd graph.
public interface ActivationTransform {
    /// Whether it does anything now.
    boolean active();

    /// @param x `[…, K]`, the features last
    /// @return same shape and dtype
    Tensor forward(Tensor x);
}
