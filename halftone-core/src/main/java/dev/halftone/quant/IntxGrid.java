package dev.halftone.quant;

import dev.halftone.DType;

/// The integers that a block of values is mapped to, and the types that the arithmetic runs in: an [IntxScheme]
/// applied to tensors of one dtype. A block is a run of neighbours along the last dimension that share a scale: a
/// group of a weight's row, or a whole token of an activation.
///
/// [IntxOracle] is the arithmetic itself.
///
/// @param qmin smallest code
/// @param qmax largest code
/// @param symmetric whether zero is code 0 and the scale comes from the largest magnitude; otherwise a zero point
///     places the range [min, max] of the block
/// @param dtype type of the values, in which scale and zero point are chosen
/// @param scaleDtype type of the scale, which carries the products with it
/// @param eps smallest scale
public record IntxGrid(int qmin, int qmax, boolean symmetric, DType dtype, DType scaleDtype, float eps) {
    /// The grid of a scheme's weights.
    public static IntxGrid weights(IntxScheme scheme, DType dtype) {
        DType scaleDtype = switch (scheme.numerics()) {
            case TORCHAO -> dtype;
            case TORCHAO_LEGACY -> DType.F32;
        };
        return new IntxGrid(scheme.qmin(), scheme.qmax(), true, dtype, scaleDtype, (float) dtype.smallestNormal());
    }

    /// The grid of int8 activations: one block a token.
    public static IntxGrid activations(Numerics numerics, DType dtype) {
        return switch (numerics) {
            case TORCHAO -> new IntxGrid(-128, 127, false, dtype, dtype, (float) dtype.smallestNormal());
            case TORCHAO_LEGACY -> new IntxGrid(-128, 127, false, dtype, DType.F32, 0x1p-23f);
        };
    }

    /// What the range of a block (its largest magnitude, where symmetric) is divided by to give the scale. Symmetric
    /// int4 divides by 7.5, so that the largest magnitude lies half a step beyond the largest code.
    public float steps() {
        return symmetric ? (qmax - qmin) / 2f : qmax - qmin;
    }
}
