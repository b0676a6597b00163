package dev.halftone.checkpoint;

import dev.halftone.kernel.PackedMatrix;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// How the weights of linear layers are packed as they are read.
@FunctionalInterface
public interface Packing {
    /// @param layer the path of a linear layer
    /// @param w_NK its weight in float
    /// @return null where it stays in float
    @Nullable
    PackedMatrix pack(String layer, Tensor w_NK);
}
