package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// A [VectorKernel] whose gradients need no more than [BlockNotes].
final class NotedKernel implements GridKernel {
    private final NotedBlocks blocks;
    private final VectorKernel kernel;

    NotedKernel(NotedBlocks blocks) {
        this.blocks = blocks;
        kernel = new VectorKernel(blocks.grid(), _ -> blocks);
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
        return rule == GradientRule.IDENTITY ? Optional.empty() : Optional.of(new BlockNotes(blocks, like, rule));
    }
}
