package dev.halftone.kernel;

import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.function.Supplier;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Products with a frozen matrix that only exists while it is needed, once in each pass.
///
/// Autograd would keep the matrix from the forward to the backward pass. So what it records is a chain of cheap
/// nodes of the right shapes, from an alias of the input to the output, whose values are then overwritten by those of
/// the product. On the way back one hook takes the gradient of the output, and another gives the alias the gradient
/// that a product has, in place of the chain's.
public final class PackedProduct {
    private PackedProduct() {}

    /// `x · Wᵀ + bias`, the same bits as [Products#linear] in both passes.
    ///
    /// @param x `[…, K]`
    /// @param matrix makes W `[N, K]`, in the dtype of `x`; called once in each pass
    /// @param rows N
    /// @param bias_N `[N]`, or null
    /// @return `[…, N]`
    public static Tensor linear(Tensor x, Supplier<Tensor> matrix, long rows, @Nullable Tensor bias_N) {
        if (!x.requires_grad() || !GradMode.is_enabled()) {
            try (Scope scope = Scope.open()) {
                return scope.keep(Products.linear(x, matrix.get(), bias_N));
            }
        }
        try (Scope scope = Scope.open()) {
            Tensor alias = x.view(Torch.shape(x));
            long[] shape = Torch.shape(x);
            shape[shape.length - 1] = rows;
            Tensor chain = alias.narrow(-1, 0, 1).expand(shape);
            Tensor y = bias_N == null ? Ops.copy(chain) : chain.add(bias_N);
            try (NoGrad _ = NoGrad.open()) {
                y.detach().copy_(Products.linear(x.detach(), matrix.get(), bias_N));
            }
            Hooks.onGradients(y, alias, gradient -> Products.matmul(gradient, matrix.get()));
            return scope.keep(y);
        }
    }
}
