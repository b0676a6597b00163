package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxOracle.Block;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import org.bytedeco.pytorch.Tensor;

/// What the gradient of an intN tensor on a CPU needs: a scale for each block, and a bit for each value.
final class IntxNotes implements GradientNotes {
    private final IntxVectors vectors;
    private final GradientRule rule;
    private final int group;
    /// Words of `passes` for a block.
    private final int words;

    private final float[] scales;
    private final int[] passes;

    /// @param like a tensor of the shape and dtype
    /// @param rule CLOSED or OPEN
    IntxNotes(IntxVectors vectors, Tensor like, GradientRule rule) {
        this.vectors = vectors;
        this.rule = rule;
        group = GridKernel.group(like, vectors.grid());
        words = Math.ceilDiv(group, Integer.SIZE);
        scales = new float[Math.toIntExact(like.numel() / group)];
        passes = new int[Math.multiplyExact(scales.length, words)];
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        DType dtype = vectors.grid().dtype();
        try (Scope _ = Scope.open()) {
            MemorySegment from = Torch.memory(VectorKernel.contiguous(x));
            MemorySegment to = Torch.memory(out);
            VectorKernel.tiles(scales.length, group, (tile, first, blocks) -> {
                int count = blocks * group;
                Tiles.load(from, (long) first * group, tile, count, dtype);
                Block[] chosen = vectors.blocks(tile, count, group);
                for (int b = 0; b < blocks; b++) {
                    scales[first + b] = chosen[b].scale();
                    vectors.fakeQuantize(tile, b * group, group, chosen[b], passes, (first + b) * words, rule);
                }
                Tiles.store(tile, count, to, (long) first * group, dtype);
            });
            Reference.reachabilityFence(x);
            Reference.reachabilityFence(out);
        }
    }

    @Override
    public void gradient(Tensor upstream, Tensor out) {
        IntxGrid grid = vectors.grid();
        try (Scope _ = Scope.open()) {
            MemorySegment from = Torch.memory(VectorKernel.contiguous(upstream));
            MemorySegment to = Torch.memory(out);
            VectorKernel.tiles(scales.length, group, (tile, first, blocks) -> {
                int count = blocks * group;
                Tiles.load(from, (long) first * group, tile, count, grid.dtype());
                for (int b = 0; b < blocks; b++) {
                    float scale = scales[first + b];
                    float inverse = Rounding.round(1 / scale, grid.scaleDtype());
                    IntxVectors.gradient(tile, b * group, group, scale, inverse, grid, passes, (first + b) * words);
                }
                Tiles.store(tile, count, to, (long) first * group, grid.dtype());
            });
            Reference.reachabilityFence(upstream);
            Reference.reachabilityFence(out);
        }
    }
}
