package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// The integers that a block of values is mapped to by compressed-tensors' arithmetic: a
/// [CompressedIntScheme] applied to tensors of one dtype. [CompressedIntOracle] is the arithmetic.
///
/// @param bits 2 to 8; the whole range of codes is used
/// @param symmetric whether zero is code 0 and the scale comes from the largest magnitude
/// @param dtype type of the values, the scale and the arithmetic
/// @param granularity which neighbours share a scale; for activations a whole token does
public record CompressedIntGrid(int bits, boolean symmetric, DType dtype, Granularity granularity) implements Grid {
    /// The same integers with other blocks.
    public CompressedIntGrid with(Granularity blocks) {
        return new CompressedIntGrid(bits, symmetric, dtype, blocks);
    }

    /// Smallest code.
    public int qmin() {
        return -(1 << (bits - 1));
    }

    /// Largest code.
    public int qmax() {
        return (1 << (bits - 1)) - 1;
    }

    /// What the range of a block (its largest magnitude, where symmetric) is divided by to give the scale.
    public float steps() {
        return symmetric ? (qmax() - qmin()) / 2f : qmax() - qmin();
    }

    /// The scale of a block that would have 0: the distance from 1 to the next number of the dtype.
    public float eps() {
        return switch (dtype) {
            case BF16 -> 0x1p-7f;
            case F16 -> 0x1p-10f;
            default -> 0x1p-23f;
        };
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
        return bits;
    }

    @Override
    public DType scaleDtype() {
        return dtype;
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return symmetric ? null : DType.I8;
    }

    @Override
    public Oracle oracle() {
        return new CompressedIntOracle(this);
    }
}
