package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Q8Grid;
import dev.halftone.quant.Q8Oracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/// The formulas of [Q8Oracle] as aten operators: for any device.
///
/// Tensors are seen as float32 `[B, group]`, a block a row; B1 is one value a block.
record AtenQ8(Q8Grid grid) implements GridKernel {
    @Override
    public Quantized quantize(Tensor x) {
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = Ops.to(x.reshape(-1, grid.type().blockSize()), DType.F32);
            Tensor amax_B1 = Ops.amax(x_BG.abs(), -1);
            Tensor zero_B1 = amax_B1.eq(new Scalar(0));
            Tensor inverse_B1 = Ops.maskedFill(number(x_BG, Q8Oracle.QMAX).div(amax_B1), zero_B1, 0);
            Tensor scale_B1 = switch (grid.type()) {
                case Q8_0 -> amax_B1.div(number(x_BG, Q8Oracle.QMAX));
                case Q8_K -> Ops.maskedFill(inverse_B1.reciprocal(), zero_B1, 0);
            };
            Tensor steps_BG = Ops.clamp(x_BG.mul(inverse_B1), -Q8Oracle.QMAX, Q8Oracle.QMAX);
            Tensor codes_BG = Ops.to(AtenOps.withoutNaN(steps_BG).round(), grid.codeDtype());
            return new Quantized(
                    scope.keep(codes_BG.view(Torch.shape(x))),
                    scope.keep(Ops.to(scale_B1, grid.scaleDtype()).reshape(scaleShape)),
                    null,
                    null);
        }
    }

    @Override
    public Tensor dequantize(Quantized q) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor codes_BG = Ops.to(q.codes().reshape(-1, grid.type().blockSize()), DType.F32);
            Tensor y_BG = codes_BG.mul(Ops.to(q.scale().reshape(-1, 1), DType.F32));
            return scope.keep(Ops.to(y_BG, grid.dtype()).view(Torch.shape(q.codes())));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            out.copy_(dequantize(quantize(x)));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        return upstream;
    }
}
