package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/// [VectorBlocks] over the memory of CPU tensors, on as many threads as libtorch uses.
///
/// Blocks are worked on in tiles that fit the first-level cache: a tile is read into float32, its blocks are mapped,
/// and the tile is written back. Codes and scales, which `convert` needs once, come from the oracle.
///
/// @param blocks the arithmetic for a tensor; most grids need not look at it
record VectorKernel(Grid grid, Function<Tensor, VectorBlocks> blocks) implements GridKernel {
    /// Values in a tile: with the gradient's two arrays of them, 16 KB.
    private static final int TILE = 2048;

    @Override
    public Quantized quantize(Tensor x) {
        return new ReferenceKernel(grid).quantize(contiguous(x));
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return Kernels.ATEN.of(grid).dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        int group = GridKernel.group(x, grid);
        VectorBlocks math = blocks.apply(x);
        replace(x, out, group, (tile, _, blocks) -> math.fakeQuantizeAll(tile, blocks * group, group));
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        if (rule == GradientRule.IDENTITY || grid.passThrough()) {
            return upstream;
        }
        int group = GridKernel.group(x, grid);
        try (Scope scope = Scope.open()) {
            VectorBlocks math = blocks.apply(x);
            Tensor out = Torch.empty(grid.dtype(), Torch.shape(x));
            MemorySegment from = Torch.memory(contiguous(x));
            MemorySegment gradient = Torch.memory(contiguous(upstream));
            MemorySegment to = Torch.memory(out);
            run(x, group, (first, last) -> {
                int perTile = Math.max(1, TILE / group);
                float[] tile = new float[perTile * group];
                float[] g = new float[perTile * group];
                for (int b = first; b < last; b += perTile) {
                    int count = Math.min(perTile, last - b) * group;
                    Tiles.load(from, (long) b * group, tile, count, grid.dtype());
                    Tiles.load(gradient, (long) b * group, g, count, grid.dtype());
                    math.gradientAll(tile, g, count, group, rule);
                    Tiles.store(g, count, to, (long) b * group, grid.dtype());
                }
            });
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(upstream);
            return scope.keep(out);
        }
    }

    /// Some blocks of a tensor, to be replaced: `blocks` of them from `first` on.
    interface Tile {
        void run(float[] tile, int first, int blocks);
    }

    /// Writes to `out` what becomes of the blocks of `x`, in tiles that fit the first-level cache.
    ///
    /// @param out contiguous, of the shape and dtype of `x`; may be `x` itself
    static void replace(Tensor x, Tensor out, int group, Tile work) {
        DType dtype = Torch.dtype(x);
        try (Scope _ = Scope.open()) {
            MemorySegment from = Torch.memory(contiguous(x));
            MemorySegment to = Torch.memory(out);
            run(x, group, (first, last) -> {
                int perTile = Math.max(1, TILE / group);
                float[] tile = new float[perTile * group];
                for (int b = first; b < last; b += perTile) {
                    int blocks = Math.min(perTile, last - b);
                    Tiles.load(from, (long) b * group, tile, blocks * group, dtype);
                    work.run(tile, b, blocks);
                    Tiles.store(tile, blocks * group, to, (long) b * group, dtype);
                }
            });
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(out);
        }
    }

    /// Runs over all blocks of `x`.
    static void run(Tensor x, int group, Parallel.Range work) {
        Parallel.run(Math.toIntExact(x.numel() / group), group, work);
    }

    /// The largest magnitude in a tensor: 0 where it is empty, NaN where it holds one.
    static float amax(Tensor x) {
        if (x.numel() == 0) {
            return 0;
        }
        try (Scope _ = Scope.open()) {
            return Torch.floats(Ops.amax(x.detach().abs().reshape(-1), -1))[0];
        }
    }

    static Tensor contiguous(Tensor t) {
        if (!t.is_cpu()) {
            throw new InputException("kernels=vector works on CPU tensors only. Use kernels=aten on this device.");
        }
        return t.detach().contiguous();
    }
}
