package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Rounding;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Inputs that exercise the edges of MX and NVFP4: each block is of another kind.
final class FloatBlockInputs {
    private FloatBlockInputs() {}

    /// A third of the blocks is as in [IntxInputs]; the others hold numbers of a small format and the points halfway
    /// between them, or have a largest magnitude next to a power of two, at any scale.
    ///
    /// @param special whether NaN, infinities and huge values may be among them
    static float[] values(Random random, int blocks, int group, DType dtype, boolean special) {
        float[] x = IntxInputs.values(random, blocks, group, dtype);
        for (int b = 0; b < blocks; b++) {
            MiniFloat format = MiniFloat.values()[random.nextInt(MiniFloat.values().length)];
            int exponent = random.nextInt(special ? 240 : 20) - (special ? 120 : 10);
            float top = (1 + Math.ulp(1f) * (random.nextInt(80) - 40)) * format.max();
            int kind = random.nextInt(3);
            for (int i = b * group; i < (b + 1) * group; i++) {
                float v = switch (kind) {
                    case 1 -> Math.scalb(halfway(random, format), exponent);
                    case 2 -> Math.scalb(i == b * group ? top : random.nextFloat() * top, exponent);
                    default -> x[i];
                };
                boolean fits = special || (Float.isFinite(v) && Math.abs(v) < 100);
                x[i] = Rounding.round(fits ? v : 1, dtype);
            }
        }
        return x;
    }

    private static float halfway(Random random, MiniFloat format) {
        int magnitudes = 1 << (format.bits() - 1);
        byte code = (byte) random.nextInt(magnitudes);
        float low = format.decode(code);
        float high = format.decode((byte) Math.min(code + 1, magnitudes - 1));
        float v = random.nextBoolean() ? low : low + (high - low) / 2;
        return Float.isFinite(v) ? v * (random.nextBoolean() ? 1 : -1) : format.max();
    }

    /// Every MX grid that a scheme can ask for.
    static List<MxGrid> mx() {
        List<MxGrid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (MxScaleMode mode : MxScaleMode.values()) {
                for (MxFormat format : MxFormat.values()) {
                    Numerics numerics = format == MxFormat.MXINT8 ? Numerics.OCP : Numerics.TORCHAO;
                    grids.add(new MxGrid(format, mode, numerics, dtype));
                }
            }
            grids.add(new MxGrid(MxFormat.MXFP4, MxScaleMode.EVEN, Numerics.COMPRESSED_TENSORS, dtype));
        }
        return grids;
    }

    /// Every NVFP4 grid that a scheme can ask for.
    static List<Nvfp4Grid> nvfp4() {
        List<Nvfp4Grid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            grids.add(new Nvfp4Grid(Numerics.TORCHAO, false, dtype));
            grids.add(new Nvfp4Grid(Numerics.TORCHAO, true, dtype));
            grids.add(new Nvfp4Grid(Numerics.MODELOPT, true, dtype));
            grids.add(new Nvfp4Grid(Numerics.MODELOPT_TRAINING, true, dtype));
            grids.add(new Nvfp4Grid(Numerics.COMPRESSED_TENSORS, true, dtype));
        }
        return grids;
    }
}
