package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxOracle.Block;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.function.UnaryOperator;
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

    /// [#fakeQuantize], for a graph.
    ///
    /// @param rule CLOSED or OPEN
    /// @return the gradient of `x` from that of `out`: it keeps one bit for each value, and the scales
    UnaryOperator<Tensor> fakeQuantize(Tensor x, Tensor out, GradientRule rule) {
        DType dtype = grid().dtype();
        int group = GridKernel.group(x, grid());
        int words = Math.ceilDiv(group, Long.SIZE);
        Block[] blocks = new Block[Math.toIntExact(x.numel() / group)];
        long[] passes = new long[Math.multiplyExact(blocks.length, words)];
        try (Scope _ = Scope.open()) {
            MemorySegment from = Torch.memory(VectorKernel.contiguous(x));
            MemorySegment to = Torch.memory(out);
            VectorKernel.run(x, group, (first, last) -> {
                float[] tile = new float[group];
                for (int b = first; b < last; b++) {
                    Tiles.load(from, (long) b * group, tile, group, dtype);
                    blocks[b] = vectors.fakeQuantize(tile, group, passes, b * words, rule);
                    Tiles.store(tile, group, to, (long) b * group, dtype);
                }
            });
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(out);
        }
        return upstream -> gradient(upstream, group, blocks, passes);
    }

    private Tensor gradient(Tensor upstream, int group, Block[] blocks, long[] passes) {
        DType dtype = grid().dtype();
        int words = passes.length / Math.max(1, blocks.length);
        try (Scope scope = Scope.open()) {
            Tensor out = Torch.empty(dtype, Torch.shape(upstream));
            MemorySegment from = Torch.memory(VectorKernel.contiguous(upstream));
            MemorySegment to = Torch.memory(out);
            VectorKernel.run(upstream, group, (first, last) -> {
                float[] tile = new float[group];
                for (int b = first; b < last; b++) {
                    Tiles.load(from, (long) b * group, tile, group, dtype);
                    vectors.gradient(tile, group, blocks[b], passes, b * words);
                    Tiles.store(tile, group, to, (long) b * group, dtype);
                }
            });
            Reference.reachabilityFence(upstream);
            return scope.keep(out);
        }
    }
}
