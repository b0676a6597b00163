package dev.halftone.kernel;

import dev.halftone.quant.GradientRule;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Tensor;

/// What the gradient of a tensor on a CPU needs: a scale for each block, and a bit for each value.
final class BlockNotes implements GradientNotes {
    private final NotedBlocks math;
    private final GradientRule rule;
    private final int group;
    private final float[] scales;
    private final Passes passes;

    /// @param like a tensor of the largest shape, and of the dtype
    /// @param rule CLOSED or OPEN
    BlockNotes(NotedBlocks math, Tensor like, GradientRule rule) {
        this.math = math;
        this.rule = rule;
        group = GridKernel.group(like, math.grid());
        scales = new float[Math.toIntExact(like.numel() / group)];
        passes = new Passes(scales.length, group);
    }

    @Override
    public boolean fits(Tensor x) {
        return Torch.dtype(x) == math.grid().dtype()
                && GridKernel.group(x, math.grid()) == group
                && x.numel() / group <= scales.length;
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        VectorKernel.replace(
                x,
                out,
                group,
                (tile, first, blocks) ->
                        math.fakeQuantizeAll(tile, blocks * group, group, rule, scales, passes, first));
    }

    @Override
    public void gradient(Tensor upstream, Tensor out) {
        VectorKernel.replace(
                upstream,
                out,
                group,
                (tile, first, blocks) -> math.gradientAll(tile, blocks * group, group, scales, passes, first));
    }
}
