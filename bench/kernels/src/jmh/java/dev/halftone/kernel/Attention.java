package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// [BlockAttention] in bfloat16, 9 heads over 3, beside libtorch's `scaled_dot_product_attention`.
public class Attention extends FunctionPair {
    private static final double SCALE = 0.125;

    @Param({"512", "2048"})
    int tokens;

    private int[] first_S;

    @Override
    List<Tensor> inputs() {
        first_S = new int[tokens];
        return List.of(heads(9), heads(3), heads(3));
    }

    /// Heads as a layer has them: next to each other for each token.
    private Tensor heads(int n) {
        return normal(1, DType.BF16, 1, tokens, n, 64).transpose(1, 2);
    }

    @Override
    Tensor kernel(List<Tensor> qkv) {
        return BlockAttention.attend(qkv.get(0), qkv.get(1), qkv.get(2), SCALE, first_S);
    }

    @Override
    Tensor aten(List<Tensor> qkv) {
        return Ops.attention(qkv.get(0), qkv.get(1), qkv.get(2), null, true, SCALE, true);
    }
}
