package dev.halftone.nn;

/// A layer with a matrix that can be quantized: a [Linear] or an [Embedding].
public interface WeightedLayer {
    Weight weight();

    /// Replaces the weight: codes and scales after `convert`, or a trained parameter again.
    void setWeight(Weight weight);

    /// Rows of the matrix: output features, or the words of a vocabulary.
    default long outFeatures() {
        return weight().shape()[0];
    }

    /// Columns of the matrix: input features, or the width of an embedding.
    default long inFeatures() {
        return weight().shape()[1];
    }
}
