package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.IntxGrid;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// intN over the memory of CPU tensors.
final class VectorIntx implements GridKernel {
    private final IntxVectors vectors;
    private final VectorKernel kernel;

    VectorIntx(IntxGrid grid) {
        vectors = new IntxVectors(grid, null);
        kernel = new VectorKernel(grid, _ -> vectors);
    }

    @Override
    public Grid grid() {
        return kernel.grid();
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
        return kernel.gradient(x, upstream, rule);
    }

    @Override
    public Optional<GradientNotes> notes(Tensor like, GradientRule rule) {
        return rule == GradientRule.IDENTITY ? Optional.empty() : Optional.of(new IntxNotes(vectors, like, rule));
    }
}
