package dev.halftone.nn;

import dev.halftone.kernel.PackedProduct;
import dev.halftone.torch.Ops;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A matrix that stays packed in memory: it is not trained, and takes part in products without being held in float.
public interface PackedWeight extends Weight {
    /// `x · Wᵀ + bias`, differentiable with respect to `x` and the bias. Nothing that is as large as W in float
    /// outlives the call, and its backward pass unpacks W again.
    ///
    /// @param x `[…, K]` of any float type
    /// @param bias_N `[N]`, added before the sum is rounded; null for none
    /// @return `[…, N]` in the dtype of [#value()]
    default Tensor product(Tensor x, @Nullable Tensor bias_N) {
        return PackedProduct.linear(Ops.to(x, computeDtype()), this::value, shape()[0], bias_N);
    }

    /// Rows of the matrix.
    ///
    /// @param ids int64, any shape `[…]`
    /// @return `[…, K]` in the dtype of [#value()]
    Tensor rows(Tensor ids);

    /// {@inheritDoc}
    ///
    /// Computed anew by each call, and the caller's to free.
    @Override
    Tensor value();
}
