package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.Products;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// `softmax(q · kᵀ · scale + mask) · v`, by the fastest way that this device and dtype have.
///
/// libtorch's fused kernel never holds the scores of all pairs, and is used wherever it is good. In bfloat16 on a
/// CPU it is not: forward and backward take 15 times as long as in float32 (measured in libtorch 2.10, 512 tokens,
/// 9 heads of 64). There, two ways are left, both with a float32 softmax:
/// - matrix products in bfloat16, a third of the float32 kernel's time at 512 tokens and half at 1024, but the
///   weights of all pairs are kept for the backward pass: `heads · S · T` values a layer;
/// - beyond [#MATRIX_PAIRS], the fused kernel over inputs widened to float32.
final class ScaledDotProduct {
    /// Pairs of a query and a key, per head, up to which their weights are kept.
    private static final long MATRIX_PAIRS = 1L << 20;

    private ScaledDotProduct() {}

    /// @param q_BHSD queries
    /// @param k_BGTD keys, of as many heads as the queries or a divisor of that many; same dtype
    /// @param v_BGTD values, like the keys
    /// @param window tokens that a query sees, itself included
    /// @return `[B, H, S, D]`, same dtype
    static Tensor attend(
            Tensor q_BHSD, Tensor k_BGTD, Tensor v_BGTD, double scale, int window, AttentionContext context) {
        DType dtype = Torch.dtype(q_BHSD);
        if (!q_BHSD.is_cpu() || dtype == DType.F32) {
            return fused(q_BHSD, k_BGTD, v_BGTD, scale, window, context);
        }
        if (q_BHSD.size(2) * k_BGTD.size(2) <= MATRIX_PAIRS) {
            return products(q_BHSD, k_BGTD, v_BGTD, scale, context.mask(window, q_BHSD));
        }
        Tensor q = Ops.to(q_BHSD, DType.F32);
        Tensor k = Ops.to(k_BGTD, DType.F32);
        Tensor v = Ops.to(v_BGTD, DType.F32);
        return Ops.to(fused(q, k, v, scale, window, context), dtype);
    }

    private static Tensor fused(
            Tensor q_BHSD, Tensor k_BGTD, Tensor v_BGTD, double scale, int window, AttentionContext context) {
        boolean causal = context.isPlainlyCausal(window);
        Tensor mask = causal ? null : context.mask(window, q_BHSD);
        boolean grouped = k_BGTD.size(1) < q_BHSD.size(1);
        return Ops.attention(q_BHSD, k_BGTD, v_BGTD, mask, causal, scale, grouped);
    }

    /// Query heads that share a key head are rows of one product: nothing is repeated, and their gradients are summed
    /// inside the product.
    private static Tensor products(
            Tensor q_BHSD, Tensor k_BGTD, Tensor v_BGTD, double scale, @Nullable Tensor mask_B1ST) {
        long b = q_BHSD.size(0);
        long h = q_BHSD.size(1);
        long s = q_BHSD.size(2);
        long d = q_BHSD.size(3);
        long g = k_BGTD.size(1);
        long t = k_BGTD.size(2);
        Tensor q_BGRD = Ops.mul(q_BHSD, scale).reshape(b, g, h / g * s, d);
        Tensor scores_BHST = Products.matmul(q_BGRD, k_BGTD.transpose(2, 3)).view(b, h, s, t);
        Tensor weights_BHST = Ops.softmax(mask_B1ST == null ? scores_BHST : scores_BHST.add_(mask_B1ST), 3);
        return Products.matmul(weights_BHST.view(b, g, h / g * s, t), v_BGTD).view(b, h, s, d);
    }
}
