package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.Rounding;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Blocks that exercise the edges of GGUF's lattices.
final class GgufInputs {
    private GgufInputs() {}

    /// Every second block is one of [IntxInputs]; the others lie on the codes, halfway and a quarter of the way
    /// between them, and have their largest magnitude more than once.
    static float[] values(Random random, int blocks, GgufGrid grid) {
        GgufLattice lattice = grid.lattice();
        int size = lattice.blockSize();
        float[] x = IntxInputs.values(random, blocks, size, grid.dtype());
        float end = switch (lattice.rule()) {
            case EXTREME -> lattice.qmin();
            case RANGE, MAGNITUDE -> lattice.qmax();
            case E2M1 -> 7.75f;
        };
        for (int b = 0; b < blocks; b += 2) {
            float step = Math.scalb(1f, random.nextInt(20) - 14);
            float start = lattice.hasMinimum() ? random.nextInt(3) - 1 : -end;
            for (int i = 0; i < size; i++) {
                float v = switch (random.nextInt(8)) {
                    case 0 -> end;
                    case 1 -> start;
                    case 2 -> random.nextBoolean() ? 0 : -0.0f;
                    default ->
                        (float) Math.rint(random.nextFloat(Math.abs(end - start)) * 4) / 4 + Math.min(start, end);
                };
                x[b * size + i] = Rounding.round(v * step, grid.dtype());
            }
        }
        return x;
    }

    static List<GgufGrid> grids() {
        List<GgufGrid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (GgufLattice lattice : GgufLattice.values()) {
                grids.add(new GgufGrid(lattice, dtype));
            }
        }
        return grids;
    }
}
