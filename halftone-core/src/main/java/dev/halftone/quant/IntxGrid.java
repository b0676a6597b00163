package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

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
/// @param granularity which neighbours share a scale; for activations a whole token does
public record IntxGrid(
        int qmin, int qmax, boolean symmetric, DType dtype, DType scaleDtype, float eps, Granularity granularity)
        implements Grid {
    /// The grid of a scheme's weights.
    public static IntxGrid weights(IntxScheme scheme, DType dtype) {
        DType scaleDtype = switch (scheme.numerics()) {
            case TORCHAO -> dtype;
            // A scale that is trained needs more than the eight bits of a bfloat16.
            case TORCHAO_LEGACY, TORCHAO_RANGE_LEARNING, LSQ -> DType.F32;
            default -> throw new IllegalArgumentException("no intN of " + scheme.numerics());
        };
        return new IntxGrid(
                scheme.qmin(),
                scheme.qmax(),
                true,
                dtype,
                scaleDtype,
                (float) dtype.smallestNormal(),
                scheme.granularity());
    }

    /// The grid of int8 activations: one block a token.
    public static IntxGrid activations(Numerics numerics, DType dtype) {
        Granularity token = new Granularity.PerAxis();
        return switch (numerics) {
            case TORCHAO -> new IntxGrid(-128, 127, false, dtype, dtype, (float) dtype.smallestNormal(), token);
            case TORCHAO_RANGE_LEARNING, LSQ ->
                new IntxGrid(-128, 127, false, dtype, DType.F32, (float) dtype.smallestNormal(), token);
            case TORCHAO_LEGACY -> new IntxGrid(-128, 127, false, dtype, DType.F32, 0x1p-23f, token);
            default -> throw new IllegalArgumentException("no int8 activations of " + numerics);
        };
    }

    /// The same integers with other blocks.
    public IntxGrid with(Granularity blocks) {
        return new IntxGrid(qmin, qmax, symmetric, dtype, scaleDtype, eps, blocks);
    }

    @Override
    public boolean affine() {
        return true;
    }

    @Override
    public DType codeDtype() {
        return DType.I8;
    }

    @Override
    public int codeBits() {
        return Integer.SIZE - Integer.numberOfLeadingZeros(qmax - qmin);
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return symmetric ? null : DType.I32;
    }

    @Override
    public Oracle oracle() {
        return new IntxOracle(this);
    }

    /// What the range of a block (its largest magnitude, where symmetric) is divided by to give the scale. Symmetric
    /// int4 divides by 7.5, so that the largest magnitude lies half a step beyond the largest code.
    public float steps() {
        return symmetric ? (qmax - qmin) / 2f : qmax - qmin;
    }
}
