package dev.halftone.kernel;

import dev.halftone.AllSchemes;
import dev.halftone.DType;
import dev.halftone.Schemes;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;

/// Both grids of every scheme. The tests of each grid try more of its sizes and edges.
class SchemeKernelsTest {
    private static final int BLOCKS = 24;

    @AllSchemes
    void theThreeImplementationsAgreeBitForBit(QuantScheme scheme) {
        Random random = new Random(1);
        int unit = Schemes.unit(scheme);
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (Grid grid : Schemes.grids(scheme, dtype)) {
                try (Scope _ = Scope.open()) {
                    Tensor x = tensor(IntxInputs.values(random, BLOCKS, unit, dtype), unit, dtype);
                    Agreement.ofValues(grid, x);
                    // Where all values share a scale, one NaN hides the others.
                    Tensor finite = Ops.maskedFill(x, x.isfinite().logical_not(), 0.5);
                    Agreement.ofValues(grid, finite);
                    for (GradientRule rule : GradientRule.values()) {
                        Agreement.ofGradients(grid, x, finite, rule);
                        Agreement.ofGradients(grid, finite, finite, rule);
                    }
                }
            }
        }
    }

    private static Tensor tensor(float[] values, int unit, DType dtype) {
        return Ops.to(Torch.of(values, 4, BLOCKS / 4 * (long) unit), dtype);
    }
}
