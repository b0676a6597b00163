package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.LearnedOracle;
import dev.halftone.quant.Oracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Learned scales by the oracle.
record ReferenceLearned(LearnedGrid grid) implements LearnedKernel {
    @Override
    public Scales start(Tensor x) {
        long[] shape = GridKernel.scaleShape(x, grid);
        return tensors(x, shape, grid.oracle().start(Torch.floats(x), columns(x)));
    }

    @Override
    public Quantized quantize(Tensor x, Scales given) {
        long[] shape = GridKernel.scaleShape(x, grid);
        Oracle.Codes q = grid.oracle().quantize(Torch.floats(x), columns(x), floats(given));
        return new ReferenceKernel(grid).tensors(x, q, shape);
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return new ReferenceKernel(grid).dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Scales given, Tensor out) {
        GridKernel.group(x, grid);
        float[] y = grid.oracle().fakeQuantize(Torch.floats(x), columns(x), floats(given));
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            out.copy_(Torch.of(y, Torch.shape(x)));
        }
    }

    @Override
    public Gradients gradients(Tensor x, Scales given, Tensor upstream, GradientRule rule) {
        long[] shape = GridKernel.scaleShape(x, grid);
        LearnedOracle.Gradients g =
                grid.oracle().gradients(Torch.floats(x), Torch.floats(upstream), columns(x), floats(given), rule);
        Tensor gx = ReferenceKernel.filled(x, grid.dtype(), Torch.of(g.x(), Torch.shape(x)));
        return new Gradients(gx, tensors(x, shape, g.scales()));
    }

    static LearnedOracle.Scales floats(Scales given) {
        Tensor zeroPoint = given.zeroPoint();
        return new LearnedOracle.Scales(
                Torch.floats(given.scale()), zeroPoint == null ? null : Torch.floats(zeroPoint));
    }

    /// On the device of `x`.
    static Scales tensors(Tensor x, long[] shape, LearnedOracle.Scales scales) {
        return new Scales(floats(x, shape, scales.scales()), nullable(x, shape, scales.zeroPoints()));
    }

    private static @Nullable Tensor nullable(Tensor x, long[] shape, float @Nullable [] values) {
        return values == null ? null : floats(x, shape, values);
    }

    private static Tensor floats(Tensor x, long[] shape, float[] values) {
        return ReferenceKernel.filled(x, DType.F32, Torch.of(values, shape));
    }

    private static int columns(Tensor x) {
        return Math.toIntExact(x.size(-1));
    }
}
