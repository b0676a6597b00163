package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.Q8Grid;
import dev.halftone.quant.StaticActivationScheme;
import dev.halftone.quant.StaticGrid;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// Fake quantization of the inputs of an MLP's last layer in an autograd graph.
public class ActivationFakeQuantization extends FunctionPair {
    public enum Scheme {
        INT8_TOKEN(dtype -> IntxGrid.activations(Numerics.TORCHAO, dtype)),
        INT8_TOKEN_SYMMETRIC(new Int8Scheme(false)::activations),
        INT8_STATIC(dtype -> fixed(new StaticActivationScheme(new Int8Scheme(true)).activations(dtype))),
        FLOAT8_TOKEN(new Float8Scheme(new Granularity.PerAxis())::activations),
        MXFP8(MxScheme.of(MxFormat.MXFP8_E4M3, MxFormat.MXFP8_E4M3, MxScaleMode.RCEIL)::activations),
        NVFP4(new Nvfp4Scheme(true, true, Numerics.TORCHAO)::activations),
        Q8_0(dtype -> new Q8Grid(Q8Grid.Type.Q8_0, dtype));

        final Function<DType, Grid> grid;

        Scheme(Function<DType, Grid> grid) {
            this.grid = grid;
        }

        private static Grid fixed(Grid grid) {
            return new StaticGrid(grid, InputScale.of(grid, -2, 3));
        }
    }

    @Param({"BF16", "F32"})
    DType dtype;

    @Param
    Scheme scheme;

    @Param("512")
    int tokens;

    private final SpareNotes spare = new SpareNotes();

    @Override
    List<Tensor> inputs() {
        return List.of(normal(1, dtype, tokens, 1536));
    }

    @Override
    Tensor kernel(List<Tensor> x) {
        return fakeQuantize(x.getFirst(), Kernels.VECTOR);
    }

    @Override
    Tensor aten(List<Tensor> x) {
        return fakeQuantize(x.getFirst(), Kernels.ATEN);
    }

    private Tensor fakeQuantize(Tensor x, Kernels kernels) {
        return StraightThrough.fakeQuantize(x, GradientRule.CLOSED, kernels.of(scheme.grid.apply(dtype)), spare);
    }
}
