package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// Quantization of tensors to a [Grid]: the arithmetic of its [dev.halftone.quant.Oracle], bit for bit.
/// Nothing here is recorded by autograd.
///
/// A tensor `[…, K]` holds `K / group` blocks a row, each with its own scale; the grid's granularity says how
/// many values a group has. Where a whole tensor shares one scale, its rows are the groups.
public interface GridKernel {
    Grid grid();

    /// Chooses scales and quantizes.
    ///
    /// @param x `[…, K]` in the grid's dtype
    Quantized quantize(Tensor x);

    /// @return the values that the codes stand for, in the grid's dtype
    Tensor dequantize(Quantized quantized);

    /// Writes to `out` what remains of `x` after quantization: the same bits as quantizing and dequantizing.
    ///
    /// @param x `[…, K]` in the grid's dtype
    /// @param out contiguous, of the same shape and dtype; may be `x` itself
    void fakeQuantize(Tensor x, Tensor out);

    /// The gradient of `x` from the gradient of its fake-quantized values.
    ///
    /// @param upstream of the shape and dtype of `x`
    /// @return of the same shape and dtype; may be `upstream` itself
    Tensor gradient(Tensor x, Tensor upstream, GradientRule rule);

    /// Both [#fakeQuantize] and [#gradient], for tensors of the shape of `like`, without keeping the values between
    /// them.
    ///
    /// @return empty where the gradient needs the values, or nothing at all
    default Optional<GradientNotes> notes(Tensor like, GradientRule rule) {
        return Optional.empty();
    }

    /// A new tensor with what remains of `x` after quantization.
    default Tensor fakeQuantized(Tensor x) {
        Tensor out = Torch.emptyLike(x, grid().dtype(), Torch.shape(x));
        fakeQuantize(x, out);
        return out;
    }

    /// Values in a block of `x`.
    ///
    /// @throws IllegalArgumentException if `x` does not consist of such blocks of the grid's dtype
    static int group(Tensor x, Grid grid) {
        DType dtype = Torch.dtype(x);
        if (dtype != grid.dtype() || x.dim() == 0) {
            throw new IllegalArgumentException(
                    "%s%s holds no rows of %s".formatted(dtype, Arrays.toString(Torch.shape(x)), grid.dtype()));
        }
        int group = grid.granularity().groupSize(x.size(-1));
        if (x.size(-1) % group != 0) {
            throw new IllegalArgumentException(
                    "%s%s is not made of blocks of %d".formatted(dtype, Arrays.toString(Torch.shape(x)), group));
        }
        return group;
    }

    /// The shape of the scales of `x`.
    ///
    /// @throws IllegalArgumentException if `x` does not consist of such blocks of the grid's dtype
    static long[] scaleShape(Tensor x, Grid grid) {
        group(x, grid);
        return grid.granularity().scaleShape(Torch.shape(x));
    }
}
