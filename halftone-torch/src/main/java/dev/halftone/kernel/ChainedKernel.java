package dev.halftone.kernel;

import dev.halftone.quant.ChainedGrid;
import dev.halftone.quant.GradientRule;
import dev.halftone.torch.Scope;
import org.bytedeco.pytorch.Tensor;

/// The kernels of two grids, one after the other.
record ChainedKernel(ChainedGrid grid, GridKernel first, GridKernel second) implements GridKernel {
    static ChainedKernel of(Kernels kernels, ChainedGrid grid) {
        return new ChainedKernel(grid, kernels.of(grid.first()), kernels.of(grid.second()));
    }

    @Override
    public Quantized quantize(Tensor x) {
        Tensor between = first.fakeQuantized(x);
        return second.quantize(between);
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return second.dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        first.fakeQuantize(x, out);
        second.fakeQuantize(out, out);
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        try (Scope scope = Scope.open()) {
            Tensor between = first.fakeQuantized(x);
            return scope.keep(first.gradient(x, second.gradient(between, upstream, rule), rule));
        }
    }
}
