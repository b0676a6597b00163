package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Rounding;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Inputs that exercise the edges of quantization: each block is of another kind.
final class IntxInputs {
    private static final int KINDS = 11;

    private IntxInputs() {}

    /// Blocks of values that `dtype` has.
    static float[] values(Random random, int blocks, int group, DType dtype) {
        float[] x = new float[blocks * group];
        float max = dtype == DType.F16 ? 65504 : dtype == DType.BF16 ? 0x1.fep127f : Float.MAX_VALUE;
        float tiny = (float) dtype.smallestNormal();
        for (int b = 0; b < blocks; b++) {
            int kind = random.nextInt(KINDS);
            float step = Math.scalb(1f, random.nextInt(12) - 8);
            for (int i = b * group; i < (b + 1) * group; i++) {
                float normal = (float) random.nextGaussian();
                float v = switch (kind) {
                    case 0, 1 -> normal * 0.05f;
                    case 2 -> random.nextBoolean() ? 0 : -0.0f;
                    case 3 -> 0.7f;
                    case 4 -> -Math.abs(normal);
                    case 5 -> Math.abs(normal);
                    // Halves between codes, and a largest magnitude that makes the scale `step` in int4 and int8.
                    case 6 -> (i == b * group ? 7.5f : random.nextInt(15) - 7.5f) * step;
                    case 7 -> (i % group == 1 ? 127.5f : random.nextInt(255) - 127.5f) * step;
                    case 8 -> normal * tiny;
                    case 9 -> i % 5 == 0 ? max * Math.signum(normal) : normal;
                    default -> special(random, normal);
                };
                x[i] = Rounding.round(v, dtype);
            }
        }
        return x;
    }

    private static float special(Random random, float normal) {
        return switch (random.nextInt(8)) {
            case 0 -> Float.POSITIVE_INFINITY;
            case 1 -> Float.NEGATIVE_INFINITY;
            case 2 -> Float.NaN;
            default -> normal;
        };
    }

    /// Every grid that a scheme can ask for.
    static List<IntxGrid> grids() {
        List<IntxGrid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (Numerics numerics : List.of(Numerics.TORCHAO, Numerics.TORCHAO_LEGACY)) {
                for (int bits = 1; bits <= 8; bits++) {
                    IntxScheme scheme = new IntxScheme(bits, new Granularity.PerAxis(), false, numerics);
                    grids.add(IntxGrid.weights(scheme, dtype));
                }
                grids.add(IntxGrid.activations(numerics, dtype));
            }
        }
        return grids;
    }
}
