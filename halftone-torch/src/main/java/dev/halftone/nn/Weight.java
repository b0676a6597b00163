package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.RowMatrix;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The matrix of a layer: a trained [Parameter], codes and scales after `convert`, or a frozen [PackedWeight].
public interface Weight extends AutoCloseable {
    /// What a forward pass uses, in the dtype of the computation. Shape `[N, K]` for a linear layer.
    Tensor value();

    /// The values with the adapter's delta, whether forward passes use it or add it to their products: what is
    /// saved. In [#dtype()], not recorded by autograd.
    Tensor adapted();

    /// Type of the trained values, or of those that were quantized.
    DType dtype();

    /// The dtype of [#value()].
    DType computeDtype();

    /// What is trained in its place or beside it; null where nothing is.
    default @Nullable WeightTransform adapter() {
        return null;
    }

    /// The matrix of [#value()] as a single row is multiplied by it, for as long as this weight stays as it is; empty
    /// where no kernel does that.
    default Optional<RowMatrix> row() {
        return Optional.empty();
    }

    /// The sizes of [#value()].
    long[] shape();

    /// Frees the native memory; nothing else may be called afterwards. Closing twice is harmless.
    @Override
    void close();
}
