package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.quant.GgufLattice.Rule;
import org.jspecify.annotations.Nullable;

/// A [GgufLattice] for weights of one dtype. Its blocks have one size; its codes are those of a file, less the
/// offset that makes them unsigned there.
///
/// @param dtype type of the values; the arithmetic is in float32 whatever it is
public record GgufGrid(GgufLattice lattice, DType dtype) implements Grid {
    @Override
    public Granularity granularity() {
        return new Granularity.PerGroup(lattice.blockSize());
    }

    @Override
    public boolean affine() {
        return !lattice.hasMinimum() && lattice.rule() != Rule.E2M1;
    }

    @Override
    public DType codeDtype() {
        return lattice.qmin() < 0 ? DType.I8 : DType.U8;
    }

    @Override
    public int codeBits() {
        return lattice.codeBits();
    }

    @Override
    public DType scaleDtype() {
        return lattice.rule() == Rule.E2M1 ? DType.F8_E8M0 : DType.F16;
    }

    /// The minimum of a block.
    @Override
    public @Nullable DType zeroPointDtype() {
        return lattice.hasMinimum() ? DType.F16 : null;
    }

    @Override
    public Oracle oracle() {
        return new GgufOracle(this);
    }
}
