package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;
import static dev.halftone.kernel.AtenOps.passes;
import static dev.halftone.kernel.AtenOps.withoutNaN;

import dev.halftone.DType;
import dev.halftone.quant.CompressedIntGrid;
import dev.halftone.quant.CompressedIntOracle;
import dev.halftone.quant.GradientRule;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The formulas of [dev.halftone.quant.CompressedIntOracle] as aten operators: for any device.
///
/// Tensors are seen as `[B, G]`, a block a row; B1 is one value a block.
///
/// @param given what every block is quantized with; null where each chooses for itself
record AtenCompressedInt(CompressedIntGrid grid, CompressedIntOracle.@Nullable Block given) implements GridKernel {
    /// What a block is quantized with, `[B, 1]` each, in the dtype of the values; the zero point is a single
    /// zero where the grid is symmetric.
    private record Blocks(Tensor scale, Tensor zeroPoint) {}

    @Override
    public Quantized quantize(Tensor x) {
        int group = GridKernel.group(x, grid);
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = choose(x_BG);
            Tensor q_BG = codes(x_BG, blocks);
            q_BG = Ops.where(q_BG.ne(q_BG), blocks.zeroPoint, q_BG);
            Tensor codes = scope.keep(Ops.to(q_BG, DType.I8).view(Torch.shape(x)));
            Tensor scale = scope.keep(blocks.scale.reshape(scaleShape));
            Tensor zeroPoint = grid.symmetric()
                    ? null
                    : scope.keep(Ops.to(blocks.zeroPoint, DType.I8).reshape(scaleShape));
            return new Quantized(codes, scale, zeroPoint, null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        Tensor codes = quantized.codes();
        int group = grid.granularity().groupSize(codes.size(-1));
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor q_BG = Ops.to(codes, grid.dtype()).reshape(-1, group);
            Tensor zeroPoint = quantized.zeroPoint();
            Tensor offset_BG = zeroPoint == null ? q_BG : q_BG.sub(Ops.to(zeroPoint.reshape(-1, 1), grid.dtype()));
            return scope.keep(offset_BG.mul(quantized.scale().reshape(-1, 1)).view(Torch.shape(codes)));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        int group = GridKernel.group(x, grid);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = choose(x_BG);
            Tensor offset_BG = codes(x_BG, blocks).sub_(blocks.zeroPoint);
            out.view(-1, group).copy_(offset_BG.mul_(blocks.scale));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        if (rule == GradientRule.IDENTITY) {
            return upstream;
        }
        int group = GridKernel.group(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Tensor t_BG = unclamped(x_BG, choose(x_BG));
            Tensor passes_BG = passes(t_BG, grid.qmin(), grid.qmax(), rule);
            Tensor g_BG = Ops.maskedFill(upstream.reshape(-1, group), passes_BG.logical_not(), 0);
            return scope.keep(g_BG.view(Torch.shape(x)));
        }
    }

    private Blocks choose(Tensor x_BG) {
        if (given != null) {
            return new Blocks(
                    number(x_BG, given.scale()).view(1, 1),
                    number(x_BG, given.zeroPoint()).view(1, 1));
        }
        Tensor zero = number(x_BG, 0);
        Tensor lo_B1 = Ops.amin(x_BG, -1).minimum(zero);
        Tensor hi_B1 = Ops.amax(x_BG, -1).maximum(zero);
        Tensor range_B1 = grid.symmetric() ? lo_B1.neg().maximum(hi_B1) : hi_B1.sub(lo_B1);
        Tensor scale_B1 = range_B1.div(number(x_BG, grid.steps()));
        Tensor zeroPoint = zero;
        if (!grid.symmetric()) {
            Tensor z_B1 = Ops.clamp(Ops.add(lo_B1.div(scale_B1).neg(), grid.qmin()), grid.qmin(), grid.qmax());
            zeroPoint = withoutNaN(z_B1).round();
        }
        return new Blocks(Ops.maskedFill(scale_B1, scale_B1.eq(new Scalar(0)), grid.eps()), zeroPoint);
    }

    /// Codes in the dtype of the values, without a -0.
    private Tensor codes(Tensor x_BG, Blocks blocks) {
        Tensor q_BG = Ops.clamp(unclamped(x_BG, blocks), grid.qmin(), grid.qmax());
        return Ops.add_(q_BG.round_(), 0);
    }

    /// Codes before they are clamped and rounded.
    private static Tensor unclamped(Tensor x_BG, Blocks blocks) {
        return x_BG.div(blocks.scale).add_(blocks.zeroPoint);
    }
}
