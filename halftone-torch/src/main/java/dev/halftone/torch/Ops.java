package dev.halftone.torch;

import dev.halftone.DType;
import java.util.List;
import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.DoubleOptional;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.MemoryFormatOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarOptional;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/// The operators that models, fake quantization and training are written with, where bytedeco's own signature
/// needs more of JavaCPP than `Tensor`. What `Tensor` offers as it stands (`add`, `mul`, `view`, `transpose`,
/// `contiguous`, …) is called there. Shapes are those of PyTorch's operator of the same name.
public final class Ops {
    private Ops() {}

    /// `t` as `dtype`; the same tensor where it is that already.
    public static Tensor to(Tensor t, DType dtype) {
        return t.to(Torch.scalarType(dtype));
    }

    /// The same memory, read as another type of the same size.
    public static Tensor view(Tensor t, DType dtype) {
        return t.view(Torch.scalarType(dtype));
    }

    /// A contiguous copy; its backward is the identity.
    public static Tensor copy(Tensor t) {
        return t.clone(new MemoryFormatOptional(torch.MemoryFormat.Contiguous));
    }

    /// Room for values laid out as those of `t` are.
    public static Tensor emptyLike(Tensor t) {
        return torch.empty_like(t);
    }

    /// `t` on `device`; the same tensor where it lies there already.
    public static Tensor to(Tensor t, Device device) {
        return t.to(device.handle(), t.scalar_type());
    }

    /// `t` on the device of `like`.
    public static Tensor toDeviceOf(Tensor t, Tensor like) {
        return t.to(like.device(), t.scalar_type());
    }

    /// `x · wᵀ + bias`. Shapes: x `[…, K]`, w `[N, K]`, bias `[N]`, result `[…, N]`.
    public static Tensor linear(Tensor x, Tensor w_NK, @Nullable Tensor bias_N) {
        return bias_N == null ? torch.linear(x, w_NK) : torch.linear(x, w_NK, new TensorOptional(bias_N));
    }

    /// Zeroes a share of the values and scales the others up, in training, by torch's random numbers.
    public static Tensor dropout(Tensor x, double share) {
        return torch.dropout(x, share, true);
    }

    /// Rows of `table_VD` at `ids`. Shapes: ids `[…]` int64, result `[…, D]`.
    public static Tensor embedding(Tensor table_VD, Tensor ids) {
        return torch.embedding(table_VD, ids);
    }

    /// Attention of `q_BHSD` over `k_BHTD`, `v_BHTD`.
    ///
    /// @param mask boolean (true = may attend) or additive, broadcastable to `[B, H, S, T]`; null for none
    /// @param causal lower-triangular mask, with no other mask beside it
    /// @param groups whether k and v have fewer heads than q (grouped-query attention)
    public static Tensor attention(
            Tensor q_BHSD,
            Tensor k_BHTD,
            Tensor v_BHTD,
            @Nullable Tensor mask,
            boolean causal,
            double scale,
            boolean groups) {
        return torch.scaled_dot_product_attention(
                q_BHSD,
                k_BHTD,
                v_BHTD,
                mask == null ? new TensorOptional() : new TensorOptional(mask),
                0.0,
                causal,
                new DoubleOptional(scale),
                groups);
    }

    public static Tensor silu(Tensor x) {
        return torch.silu(x);
    }

    public static Tensor add(Tensor t, double scalar) {
        return t.add(new Scalar(scalar));
    }

    public static Tensor mul(Tensor t, double scalar) {
        return t.mul(new Scalar(scalar));
    }

    /// In place. The scalar takes part in float32, as when Python multiplies: C++'s own `mul_` of a scalar would round
    /// it to the dtype of `t` first (libtorch 2.10).
    public static Tensor mul_(Tensor t, double scalar) {
        try (Tensor factor = Torch.of(new float[] {(float) scalar})) {
            return t.mul_(factor);
        }
    }

    /// `t + alpha · other`, in place.
    public static Tensor add_(Tensor t, Tensor other, double alpha) {
        return t.add_(other, new Scalar(alpha));
    }

    /// In place.
    public static Tensor add_(Tensor t, double scalar) {
        return t.add_(new Scalar(scalar));
    }

    public static Tensor div(Tensor t, double scalar) {
        return t.div(new Scalar(scalar));
    }

    /// `t + weight · (end - t)`, in place.
    public static Tensor lerp_(Tensor t, Tensor end, double weight) {
        return t.lerp_(end, new Scalar(weight));
    }

    /// `t + value · a · b`, in place.
    public static Tensor addcmul_(Tensor t, Tensor a, Tensor b, double value) {
        return t.addcmul_(a, b, new Scalar(value));
    }

    /// `t + value · a / b`, in place.
    public static Tensor addcdiv_(Tensor t, Tensor a, Tensor b, double value) {
        return t.addcdiv_(a, b, new Scalar(value));
    }

    /// L2 norm over all elements, computed and returned in `dtype`.
    public static Tensor norm(Tensor t, DType dtype) {
        return t.norm(new ScalarOptional(new Scalar(2.0)), Torch.scalarType(dtype));
    }

    public static Tensor pow(Tensor t, double exponent) {
        return t.pow(new Scalar(exponent));
    }

    public static Tensor clamp(Tensor t, double min, double max) {
        return t.clamp(new ScalarOptional(new Scalar(min)), new ScalarOptional(new Scalar(max)));
    }

    public static Tensor fill_(Tensor t, double value) {
        return t.fill_(new Scalar(value));
    }

    public static Tensor maskedFill(Tensor t, Tensor mask, double value) {
        return t.masked_fill(mask, new Scalar(value));
    }

    /// The values of `yes` where `condition` holds, else those of `no`.
    public static Tensor where(Tensor condition, Tensor yes, Tensor no) {
        return torch.where(condition, yes, no);
    }

    /// Where `t < scalar`, as booleans.
    public static Tensor less(Tensor t, double scalar) {
        return t.lt(new Scalar(scalar));
    }

    /// In place.
    public static Tensor maskedFill_(Tensor t, Tensor mask, double value) {
        return t.masked_fill_(mask, new Scalar(value));
    }

    /// Mean over the last dimension, kept.
    public static Tensor meanLast(Tensor t) {
        return t.mean(new long[] {-1}, true, new ScalarTypeOptional());
    }

    /// Largest value along `dim`, kept.
    public static Tensor amax(Tensor t, long dim) {
        return t.amax(new long[] {dim}, true);
    }

    /// Smallest value along `dim`, kept.
    public static Tensor amin(Tensor t, long dim) {
        return t.amin(new long[] {dim}, true);
    }

    /// Index of the largest value along `dim`, which is dropped.
    public static Tensor argmax(Tensor t, long dim) {
        return t.argmax(new LongOptional(dim), false);
    }

    public static Tensor softmax(Tensor t, long dim) {
        return torch.softmax(t, dim);
    }

    public static Tensor logSoftmax(Tensor t, long dim) {
        return torch.log_softmax(t, dim);
    }

    /// Sum of the negative log-likelihoods of `target_N` under `logits_NV`.
    ///
    /// @param ignoreIndex a target that does not count
    public static Tensor crossEntropySum(Tensor logits_NV, Tensor target_N, long ignoreIndex) {
        return torch.cross_entropy_loss(
                logits_NV, target_N, new TensorOptional(), torch.Reduction.Sum.value, ignoreIndex, 0.0);
    }

    /// Negative log-likelihood of each `target_N` under `logits_NV`.
    public static Tensor crossEntropyEach(Tensor logits_NV, Tensor target_N) {
        return torch.cross_entropy_loss(
                logits_NV, target_N, new TensorOptional(), torch.Reduction.None.value, -100, 0.0);
    }

    public static Tensor cat(List<Tensor> tensors, long dim) {
        return torch.cat(new TensorVector(tensors.toArray(Tensor[]::new)), dim);
    }

    public static Tensor stack(List<Tensor> tensors, long dim) {
        return torch.stack(new TensorVector(tensors.toArray(Tensor[]::new)), dim);
    }

    /// `0, 1, …, n-1` as int64.
    public static Tensor arange(long n) {
        Torch.load();
        return to(torch.arange(new Scalar(n)), DType.I64);
    }

    /// Back-propagates from `t` with this upstream gradient.
    public static void backward(Tensor t, Tensor gradient) {
        t.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
    }
}
