package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.BlockAttention;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;

/// `softmax(q · kᵀ · scale + mask) · v`, by the fastest way that this device and dtype have.
///
/// libtorch's fused kernel never holds the scores of all pairs, and is used wherever it is good. In bfloat16 on a
/// CPU it is not: forward and backward take 15 times as long as in float32 (measured in libtorch 2.10, 512 tokens,
/// 9 heads of 64). There, [BlockAttention] serves; where that does not, the fused kernel over inputs widened to
/// float32.
final class ScaledDotProduct {
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
        if (BlockAttention.serves(q_BHSD)) {
            return BlockAttention.attend(q_BHSD, k_BGTD, v_BGTD, scale, context.first(window));
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
}
