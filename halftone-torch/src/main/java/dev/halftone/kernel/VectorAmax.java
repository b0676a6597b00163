package dev.halftone.kernel;

import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import org.bytedeco.pytorch.Tensor;

/// [AmaxVectors] over the memory of CPU tensors. A gradient through the scale of a whole tensor is not a
/// matter of its rows: it comes from [AtenAmax].
record VectorAmax(AmaxGrid grid, VectorKernel kernel) implements GridKernel {
    VectorAmax(AmaxGrid grid) {
        this(grid, new VectorKernel(grid, x -> AmaxVectors.of(grid, x)));
    }

    @Override
    public Quantized quantize(Tensor x) {
        return kernel.quantize(x);
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return kernel.dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        kernel.fakeQuantize(x, out);
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        boolean whole = grid.granularity() instanceof Granularity.PerTensor;
        return whole && grid.scaleGradient()
                ? Kernels.ATEN.of(grid).gradient(x, upstream, rule)
                : kernel.gradient(x, upstream, rule);
    }
}
