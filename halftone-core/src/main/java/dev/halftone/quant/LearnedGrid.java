package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// The integers of an [IntxGrid] with scales that are trained: they are given, not chosen from the values.
///
/// [LearnedOracle] is the arithmetic. Where no scales are given it takes those that training starts with.
///
/// @param codes the integers, the blocks and the types; its scales are float32
/// @param lsq whether scales start and are trained as in LSQ; otherwise as in torchao's range learning
public record LearnedGrid(IntxGrid codes, boolean lsq) implements Grid {
    public LearnedGrid {
        if (codes.scaleDtype() != DType.F32) {
            throw new IllegalArgumentException("learned scales are float32, not " + codes.scaleDtype());
        }
        if (lsq && !codes.symmetric()) {
            throw new IllegalArgumentException("LSQ has no zero points");
        }
    }

    @Override
    public DType dtype() {
        return codes.dtype();
    }

    @Override
    public Granularity granularity() {
        return codes.granularity();
    }

    @Override
    public boolean affine() {
        return true;
    }

    @Override
    public DType codeDtype() {
        return codes.codeDtype();
    }

    @Override
    public int codeBits() {
        return codes.codeBits();
    }

    @Override
    public DType scaleDtype() {
        return codes.scaleDtype();
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return codes.zeroPointDtype();
    }

    @Override
    public LearnedOracle oracle() {
        return new LearnedOracle(this);
    }
}
