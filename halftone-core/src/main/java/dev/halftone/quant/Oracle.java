package dev.halftone.quant;

import org.jspecify.annotations.Nullable;

/// The specification of a grid's arithmetic, in scalar Java: what every kernel must compute, bit for bit.
///
/// Tensors are seen as rows of `columns` values in row-major order; all values are of the grid's dtype.
public interface Oracle {
    /// What values are quantized to. Scales are the numbers that their stored type can hold, whatever it is.
    ///
    /// @param codes one for each value
    /// @param scales one for each block
    /// @param zeroPoints one for each block (or minima, as the grid says); null where the grid has none
    /// @param tensorScale what all blocks share; 1 where the grid has no such scale
    record Codes(byte[] codes, float[] scales, float @Nullable [] zeroPoints, float tensorScale) {}

    /// Chooses scales and quantizes.
    Codes quantize(float[] x, int columns);

    /// The values that codes stand for.
    float[] dequantize(Codes codes, int columns);

    /// What remains of `x` after quantization: the same bits as quantizing and dequantizing.
    default float[] fakeQuantize(float[] x, int columns) {
        return dequantize(quantize(x, columns), columns);
    }

    /// Gradient of `x` from the gradient of [#fakeQuantize].
    ///
    /// @param upstream as long as `x`, in the same dtype
    float[] gradient(float[] x, float[] upstream, int columns, GradientRule rule);
}
