package dev.halftone.quant;

import static dev.halftone.quant.Rounding.round;

/// What a layer's inputs are quantized with where that is found beforehand: one scale for a whole tensor.
///
/// @param scale as the grid stores it: the size of a step, of ModelOpt's formulas the amax
/// @param zeroPoint the code of 0; 0 where the grid is symmetric
public record InputScale(float scale, int zeroPoint) {
    /// The scale that a grid chooses for a range, by its own formula.
    ///
    /// @param numbers an [IntxGrid], a [CompressedIntGrid] or an [AmaxGrid]
    /// @param lo the smallest value, or 0 where that is greater
    /// @param hi the largest value, or 0 where that is smaller
    public static InputScale of(Grid numbers, float lo, float hi) {
        float least = round(lo, numbers.dtype());
        float most = round(hi, numbers.dtype());
        return switch (numbers) {
            case IntxGrid g -> {
                IntxOracle.Block b = IntxOracle.choose(least, most, g);
                yield new InputScale(round(b.scale(), g.scaleDtype()), (int) b.zeroPoint());
            }
            case CompressedIntGrid g -> {
                CompressedIntOracle.Block b = CompressedIntOracle.choose(least, most, g);
                yield new InputScale(b.scale(), (int) b.zeroPoint());
            }
            case AmaxGrid g ->
                new InputScale(AmaxOracle.choose(Math.max(-least, most), g).stored(), 0);
            default -> throw new IllegalArgumentException("no scale of " + numbers + " is found beforehand");
        };
    }

    /// The same for the arithmetic of intN.
    public IntxOracle.Block block(IntxGrid grid) {
        float s = round(scale, grid.scaleDtype());
        return new IntxOracle.Block(s, round(1 / s, grid.scaleDtype()), zeroPoint);
    }

    /// The same for the arithmetic of compressed-tensors' integers.
    public CompressedIntOracle.Block block(CompressedIntGrid grid) {
        return new CompressedIntOracle.Block(round(scale, grid.scaleDtype()), zeroPoint);
    }

    /// The same for the arithmetic of an amax.
    public AmaxOracle.Block block(AmaxGrid grid) {
        return AmaxOracle.stored(round(scale, grid.scaleDtype()), grid);
    }
}
