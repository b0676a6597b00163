package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.AmaxGrid.Formula;
import dev.halftone.quant.Element;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.MiniFloat;
import java.util.ArrayList;
import java.util.List;

/// Grids for tests of [AmaxGrid].
final class AmaxInputs {
    private static final Granularity ROW = new Granularity.PerAxis();

    private AmaxInputs() {}

    /// Every formula, with every gradient that it has, by rows.
    static List<AmaxGrid> grids() {
        List<AmaxGrid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            AmaxGrid float8 = AmaxGrid.float8(Formula.FLOAT8, dtype, ROW);
            AmaxGrid verbatim = AmaxGrid.float8(Formula.FLOAT8_TORCHAO, dtype, ROW);
            AmaxGrid training = AmaxGrid.int4Training(dtype, ROW);
            Element.Integers int8 = Element.Integers.of(8);
            grids.addAll(List.of(
                    float8,
                    float8.bounded(0.01f, 0.5f),
                    float8.withScaleGradient(false),
                    verbatim.withScaleGradient(true),
                    verbatim.bounded(0.01f, 0.5f).withScaleGradient(false),
                    AmaxGrid.float8(Formula.FLOAT8_COMPRESSED, dtype, ROW),
                    training,
                    training.withScaleGradient(false),
                    AmaxGrid.modelOpt(int8, dtype, ROW),
                    AmaxGrid.modelOpt(int8.narrow(), dtype, ROW).bounded(0.25f, 0.25f),
                    AmaxGrid.modelOpt(Element.Integers.of(4), dtype, ROW),
                    AmaxGrid.modelOpt(new Element.Floats(MiniFloat.E4M3), dtype, ROW)));
        }
        return grids;
    }
}
