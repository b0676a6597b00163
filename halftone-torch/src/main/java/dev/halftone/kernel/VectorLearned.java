package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxOracle.Block;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.LearnedOracle;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.bytedeco.pytorch.Tensor;

/// Learned scales over the memory of CPU tensors, a block at a time. What convert and the start of training need once
/// comes from the oracle, and so do zero points, which only single activations have.
record VectorLearned(LearnedGrid grid) implements LearnedKernel {
    @Override
    public Scales start(Tensor x) {
        return reference().start(VectorKernel.contiguous(x));
    }

    @Override
    public Quantized quantize(Tensor x, Scales given) {
        return reference().quantize(VectorKernel.contiguous(x), given);
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return Kernels.ATEN.of(grid).dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Scales given, Tensor out) {
        if (!grid.codes().symmetric()) {
            reference().fakeQuantize(x, given, out);
            return;
        }
        int group = GridKernel.group(x, grid);
        try (Scope _ = Scope.open()) {
            MemorySegment from = Torch.memory(VectorKernel.contiguous(x));
            MemorySegment to = Torch.memory(out);
            float[] scales = Torch.floats(given.scale());
            VectorKernel.run(x, group, (first, last) -> {
                float[] values = new float[group];
                for (int b = first; b < last; b++) {
                    Tiles.load(from, (long) b * group, values, group, grid.dtype());
                    IntxVectors.fakeQuantize(values, 0, group, LearnedOracle.block(scales[b], 0, grid), grid.codes());
                    Tiles.store(values, group, to, (long) b * group, grid.dtype());
                }
            });
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(out);
        }
    }

    @Override
    public Gradients gradients(Tensor x, Scales given, Tensor upstream, GradientRule rule) {
        if (!grid.codes().symmetric()) {
            return reference().gradients(x, given, upstream, rule);
        }
        int group = GridKernel.group(x, grid);
        try (Scope scope = Scope.open()) {
            Tensor out = Torch.empty(grid.dtype(), Torch.shape(x));
            MemorySegment from = Torch.memory(VectorKernel.contiguous(x));
            MemorySegment gradient = Torch.memory(VectorKernel.contiguous(upstream));
            MemorySegment to = Torch.memory(out);
            float[] scales = Torch.floats(given.scale());
            float[] scaleGradients = new float[scales.length];
            float factor = LearnedOracle.gradientFactor(grid, group);
            VectorKernel.run(x, group, (first, last) -> {
                float[] values = new float[group];
                float[] g = new float[group];
                LearnedOracle.Terms terms = new LearnedOracle.Terms(group);
                for (int b = first; b < last; b++) {
                    Block block = LearnedOracle.block(scales[b], 0, grid);
                    Tiles.load(from, (long) b * group, values, group, grid.dtype());
                    Tiles.load(gradient, (long) b * group, g, group, grid.dtype());
                    IntxVectors.terms(values, g, terms, block, grid.codes(), rule);
                    scaleGradients[b] = terms.scale(block, factor);
                    if (rule != GradientRule.IDENTITY) {
                        IntxVectors.gradient(values, g, 0, group, block, grid.codes(), rule);
                    }
                    Tiles.store(g, group, to, (long) b * group, grid.dtype());
                }
            });
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(upstream);
            Tensor scaleGradient = Torch.of(scaleGradients, Torch.shape(given.scale()));
            return new Gradients(scope.keep(out), new Scales(scope.keep(scaleGradient), null));
        }
    }

    private LearnedKernel reference() {
        return new ReferenceLearned(grid);
    }
}
