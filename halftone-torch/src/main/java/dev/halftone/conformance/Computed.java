package dev.halftone.conformance;

import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes for a role of a case.
///
/// @param terms where values are sums: the sums of the magnitudes of their terms, or the largest magnitude
///     where the tolerance is of that; 0 for a value that is none; null where none is
record Computed(Tensor value, @Nullable Tensor terms) {
    static Computed exact(Tensor value) {
        return new Computed(value, null);
    }
}
