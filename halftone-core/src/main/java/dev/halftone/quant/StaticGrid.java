package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// A grid whose scale is known before any value: static activations, calibrated beforehand. Values that lie beyond the
/// range that the scale was found for are clamped.
///
/// [StaticOracle] is the arithmetic.
///
/// @param numbers the grid that would choose the scale by itself: an [IntxGrid], a [CompressedIntGrid] or an
///     [AmaxGrid] without gradients through its scale, for whole tensors
public record StaticGrid(Grid numbers, InputScale scale) implements Grid {
    public StaticGrid {
        boolean known = switch (numbers) {
            case IntxGrid _, CompressedIntGrid _ -> true;
            case AmaxGrid g -> !g.scaleGradient();
            default -> false;
        };
        if (!known || !(numbers.granularity() instanceof Granularity.PerTensor)) {
            throw new IllegalArgumentException("no static scale for " + numbers);
        }
    }

    @Override
    public DType dtype() {
        return numbers.dtype();
    }

    @Override
    public Granularity granularity() {
        return numbers.granularity();
    }

    @Override
    public DType codeDtype() {
        return numbers.codeDtype();
    }

    @Override
    public int codeBits() {
        return numbers.codeBits();
    }

    @Override
    public DType scaleDtype() {
        return numbers.scaleDtype();
    }

    @Override
    public @Nullable DType zeroPointDtype() {
        return numbers.zeroPointDtype();
    }

    @Override
    public Oracle oracle() {
        return new StaticOracle(this);
    }
}
