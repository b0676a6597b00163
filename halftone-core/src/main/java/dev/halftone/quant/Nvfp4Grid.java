package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// E2M1 numbers in blocks of 16 that share an E4M3 scale, whose unit the whole tensor shares: an [Nvfp4Scheme] applied
/// to tensors of one dtype.
///
/// [Nvfp4Oracle] is the arithmetic itself.
///
/// @param numerics TORCHAO, MODELOPT, MODELOPT_TRAINING or COMPRESSED_TENSORS
/// @param tensorScale whether the tensor has a scale; without, block scales are in units of 1 (TORCHAO only)
/// @param dtype type of the values
public record Nvfp4Grid(Numerics numerics, boolean tensorScale, DType dtype) implements Grid {
    private static final Granularity BLOCKS = new Granularity.PerGroup(16);

    @Override
    public Granularity granularity() {
        return BLOCKS;
    }

    @Override
    public DType codeDtype() {
        return DType.U8;
    }

    @Override
    public int codeBits() {
        return MiniFloat.E2M1.bits();
    }

    @Override
    public DType scaleDtype() {
        return DType.F8_E4M3;
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return null;
    }

    @Override
    public boolean wholeTensor() {
        return tensorScale;
    }

    @Override
    public boolean passThrough() {
        return true;
    }

    @Override
    public Oracle oracle() {
        return new Nvfp4Oracle(this);
    }
}
