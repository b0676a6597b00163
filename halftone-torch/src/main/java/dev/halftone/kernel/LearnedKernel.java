package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.quant.LearnedGrid;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// intN with scales that are trained: the arithmetic of [dev.halftone.quant.LearnedOracle], bit for bit.
///
/// As a [GridKernel] it uses the scales that training starts with; [#with] gives one that uses others.
public interface LearnedKernel extends GridKernel {
    /// What is given for each block of a tensor `[…, K]`.
    ///
    /// @param scale `[…, K / group]`, float32
    /// @param zeroPoint of the same shape and dtype; null where the grid is symmetric
    record Scales(Tensor scale, @Nullable Tensor zeroPoint) {}

    /// @param x of the shape and dtype of the values
    /// @param scales of the shapes and dtype of the scales
    record Gradients(Tensor x, Scales scales) {}

    @Override
    LearnedGrid grid();

    /// The scales that training of `x` starts with.
    Scales start(Tensor x);

    Quantized quantize(Tensor x, Scales given);

    /// As [GridKernel#fakeQuantize(Tensor, Tensor)].
    void fakeQuantize(Tensor x, Scales given, Tensor out);

    /// The gradients of `x` and of the scales from the gradient of the fake-quantized values.
    Gradients gradients(Tensor x, Scales given, Tensor upstream, GradientRule rule);

    @Override
    default Quantized quantize(Tensor x) {
        return quantize(x, start(x));
    }

    @Override
    default void fakeQuantize(Tensor x, Tensor out) {
        fakeQuantize(x, start(x), out);
    }

    @Override
    default Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        return rule == GradientRule.IDENTITY
                ? upstream
                : gradients(x, start(x), upstream, rule).x();
    }

    /// This arithmetic with these scales, for tensors that have as many blocks.
    default GridKernel with(Scales given) {
        return new Given(this, given);
    }

    /// See [#with].
    record Given(LearnedKernel kernel, Scales scales) implements GridKernel {
        @Override
        public LearnedGrid grid() {
            return kernel.grid();
        }

        @Override
        public Quantized quantize(Tensor x) {
            return kernel.quantize(x, scales);
        }

        @Override
        public Tensor dequantize(Quantized quantized) {
            return kernel.dequantize(quantized);
        }

        @Override
        public void fakeQuantize(Tensor x, Tensor out) {
            kernel.fakeQuantize(x, scales, out);
        }

        @Override
        public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
            return kernel.gradients(x, scales, upstream, rule).x();
        }
    }
}
