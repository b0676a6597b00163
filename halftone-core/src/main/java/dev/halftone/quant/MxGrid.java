package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// Small numbers in blocks of 32 that share a power of two: an [MxScheme] applied to tensors of one dtype.
///
/// [MxOracle] is the arithmetic itself.
///
/// @param format what values are stored as
/// @param mode how a block's power of two is chosen
/// @param numerics whose arithmetic it is where implementations differ
/// @param dtype type of the values
public record MxGrid(MxFormat format, MxScaleMode mode, Numerics numerics, DType dtype) implements Grid {
    private static final Granularity BLOCKS = new Granularity.PerGroup(32);

    @Override
    public Granularity granularity() {
        return BLOCKS;
    }

    @Override
    public DType codeDtype() {
        return format == MxFormat.MXINT8 ? DType.I8 : DType.U8;
    }

    @Override
    public int codeBits() {
        return format.bits();
    }

    @Override
    public DType scaleDtype() {
        return DType.F8_E8M0;
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return null;
    }

    @Override
    public boolean passThrough() {
        return true;
    }

    @Override
    public Oracle oracle() {
        return new MxOracle(this);
    }
}
