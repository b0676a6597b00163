package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxGrid;
import java.util.ArrayList;
import java.util.List;

/// Grids of int4 between minimum and maximum, of int8 weights and activations, and of compressed-tensors'
/// integers.
final class GridInputs {
    private GridInputs() {}

    static List<Grid> grids(Granularity blocks) {
        List<Grid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (boolean scaleGradient : new boolean[] {false, true}) {
                grids.add(Int4Grid.minimum(dtype, dtype, blocks, scaleGradient));
                grids.add(Int4Grid.minimum(dtype, DType.F32, blocks, scaleGradient));
            }
            grids.add(Int4Grid.magnitude(dtype, blocks));
            grids.add(Int4Grid.tinygemm(dtype, blocks));
            grids.add(Int4Grid.tilePacked(dtype, blocks));
            for (int bits : new int[] {2, 3, 4, 8}) {
                grids.add(new CompressedIntGrid(bits, true, dtype, blocks));
                grids.add(new CompressedIntGrid(bits, false, dtype, blocks));
            }
            grids.add(((IntxGrid) new Int8Scheme(false).weights(dtype)).with(blocks));
            grids.add(((IntxGrid) new Int8Scheme(true).activations(dtype)).with(blocks));
        }
        return grids;
    }
}
