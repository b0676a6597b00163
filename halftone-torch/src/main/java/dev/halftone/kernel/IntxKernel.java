package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// intN quantization of tensors: the arithmetic of [dev.halftone.quant.IntxOracle], bit for bit. Nothing here is
/// recorded by autograd.
///
/// A tensor `[…, K]` holds `K / group` blocks a row, each with its own scale: `group` is the group size of a
/// weight `[N, K]`, and K itself for scales per output channel or per token.
public interface IntxKernel {
    /// @param codes int8, of the shape of what was quantized
    /// @param scale `[…, K / group]` in the grid's scale dtype
    /// @param zeroPoint int32, of the shape of `scale`; null for a symmetric grid, where it is 0
    record Quantized(Tensor codes, Tensor scale, @Nullable Tensor zeroPoint) {
        /// Codes that share a scale.
        public int group() {
            return Math.toIntExact(codes.size(-1) / scale.size(-1));
        }
    }

    /// What a graph needs to compute the gradient later, without `x`.
    ///
    /// @param scale `[…, K / group]` in the grid's scale dtype
    /// @param stopped bool, of the shape of `x`: where no gradient passes
    record Stops(Tensor scale, Tensor stopped) {}

    /// Chooses scales and quantizes.
    ///
    /// @param x `[…, K]` in the grid's dtype
    Quantized quantize(Tensor x, int group, IntxGrid grid);

    /// @return the values that the codes stand for, in the grid's dtype
    Tensor dequantize(Quantized quantized, IntxGrid grid);

    /// Writes to `out` what remains of `x` after quantization: the same bits as quantizing and dequantizing.
    ///
    /// @param x `[…, K]` in the grid's dtype
    /// @param out contiguous, of the same shape and dtype; may be `x` itself
    void fakeQuantize(Tensor x, Tensor out, int group, IntxGrid grid);

    /// The gradient of `x` from the gradient of its fake-quantized values.
    ///
    /// @param upstream of the shape and dtype of `x`
    /// @return of the same shape and dtype; `upstream` itself under [GradientRule#IDENTITY]
    Tensor gradient(Tensor x, Tensor upstream, int group, IntxGrid grid, GradientRule rule);

    /// Where the gradient of `x` stops.
    ///
    /// @param rule CLOSED or OPEN
    Stops stops(Tensor x, int group, IntxGrid grid, GradientRule rule);

    /// A new tensor with what remains of `x` after quantization.
    default Tensor fakeQuantized(Tensor x, int group, IntxGrid grid) {
        Tensor out = Torch.emptyLike(x, grid.dtype(), Torch.shape(x));
        fakeQuantize(x, out, group, grid);
        return out;
    }

    /// The shape of the scales of `x`.
    ///
    /// @throws IllegalArgumentException if `x` does not consist of such blocks of the grid's dtype
    static long[] scaleShape(Tensor x, int group, IntxGrid grid) {
        long[] shape = Torch.shape(x);
        DType dtype = Torch.dtype(x);
        if (dtype != grid.dtype() || shape.length == 0 || shape[shape.length - 1] % group != 0) {
            throw new IllegalArgumentException("%s%s is not made of blocks of %d %s"
                    .formatted(dtype, Arrays.toString(shape), group, grid.dtype()));
        }
        shape[shape.length - 1] /= group;
        return shape;
    }
}
