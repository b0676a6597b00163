package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.LearnedOracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The formulas of [LearnedOracle] as aten operators: for any device. Tensors are seen as `[B, group]`.
record AtenLearned(LearnedGrid grid) implements LearnedKernel {
    @Override
    public Scales start(Tensor x) {
        int group = GridKernel.group(x, grid);
        long[] shape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.detach().reshape(-1, group);
            AtenIntx.Blocks chosen = AtenIntx.choose(x_BG, grid.codes());
            Tensor scale_B1 = chosen.scale();
            if (grid.lsq()) {
                Tensor sum_B1 = AtenSums.halving(Ops.to(x_BG, DType.F32).abs());
                scale_B1 = Ops.mul(sum_B1.div(number(sum_B1, group)), LearnedOracle.startFactor(grid));
            }
            Tensor zeroPoint = grid.codes().symmetric()
                    ? null
                    : scope.keep(Ops.to(chosen.zeroPoint(), DType.F32).reshape(shape));
            return new Scales(
                    scope.keep(scale_B1.clamp_min(new Scalar(LearnedOracle.EPS)).reshape(shape)), zeroPoint);
        }
    }

    @Override
    public Quantized quantize(Tensor x, Scales given) {
        int group = GridKernel.group(x, grid);
        long[] shape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor z = given.zeroPoint();
            Tensor rounded = z == null ? null : z.detach().round();
            AtenIntx.Blocks blocks = blocks(x, new Scales(given.scale(), rounded));
            Tensor codes = AtenIntx.codes(AtenIntx.unclamped(x.detach().reshape(-1, group), blocks), grid.codes());
            return new Quantized(
                    scope.keep(codes.view(Torch.shape(x))),
                    scope.keep(blocks.scale().reshape(shape)),
                    rounded == null
                            ? null
                            : scope.keep(Ops.to(rounded, DType.I32).reshape(shape)),
                    null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        return new AtenIntx(grid.codes(), null).dequantize(quantized);
    }

    @Override
    public void fakeQuantize(Tensor x, Scales given, Tensor out) {
        int group = GridKernel.group(x, grid);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            AtenIntx.Blocks blocks = blocks(x, given);
            Tensor offset_BG = offset(AtenIntx.unclamped(x.detach().reshape(-1, group), blocks), blocks);
            out.view(-1, group).copy_(offset_BG.mul(blocks.scale()));
        }
    }

    @Override
    public Gradients gradients(Tensor x, Scales given, Tensor upstream, GradientRule rule) {
        int group = GridKernel.group(x, grid);
        long[] shape = GridKernel.scaleShape(x, grid);
        GradientRule stops = rule == GradientRule.IDENTITY ? GradientRule.CLOSED : rule;
        IntxGrid codes = grid.codes();
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            AtenIntx.Blocks blocks = blocks(x, given);
            Tensor x_BG = x.detach().reshape(-1, group);
            Tensor g_BG = upstream.detach().reshape(-1, group);
            Tensor t_BG = AtenIntx.unclamped(x_BG, blocks);
            Tensor a_BG = Ops.to(g_BG.mul(blocks.scale()), codes.dtype());
            Tensor stopped_BG = AtenIntx.stopped(t_BG, codes, stops);
            Tensor passed_BG = Ops.maskedFill(a_BG, stopped_BG, 0);
            Tensor gx = rule == GradientRule.IDENTITY
                    ? upstream
                    : Ops.to(passed_BG.mul(blocks.inverse()), codes.dtype()).view(Torch.shape(x));

            Tensor products_B1 = AtenSums.halving(float32(g_BG).mul(offset(t_BG, blocks)));
            Tensor reciprocals_B1 = AtenSums.halving(float32(passed_BG).mul(x_BG))
                    .mul(blocks.inverse().mul(blocks.inverse()));
            Tensor gs = Ops.mul(products_B1.sub(reciprocals_B1), LearnedOracle.gradientFactor(grid, group))
                    .reshape(shape);
            Tensor gz = codes.symmetric()
                    ? null
                    : AtenSums.halving(float32(Ops.maskedFill(a_BG, stopped_BG.logical_not(), 0)))
                            .neg()
                            .reshape(shape);
            return new Gradients(scope.keep(gx), new Scales(scope.keep(gs), gz == null ? null : scope.keep(gz)));
        }
    }

    private AtenIntx.Blocks blocks(Tensor x, Scales given) {
        Tensor scale_B1 = given.scale().detach().reshape(-1, 1).clamp_min(new Scalar(LearnedOracle.lowest(grid)));
        return new AtenIntx.Blocks(scale_B1, scale_B1.reciprocal(), zeroPoint(x, given.zeroPoint()));
    }

    private static Tensor zeroPoint(Tensor x, @Nullable Tensor zeroPoint) {
        return zeroPoint == null ? number(x, 0) : zeroPoint.detach().reshape(-1, 1);
    }

    /// Clamped codes less the zero point, in float32.
    private Tensor offset(Tensor t_BG, AtenIntx.Blocks blocks) {
        Tensor offset_BG = AtenIntx.clamp(t_BG, grid.codes()).sub(blocks.zeroPoint());
        return float32(Ops.to(offset_BG, grid.dtype()));
    }

    private static Tensor float32(Tensor t) {
        return Ops.to(t, DType.F32);
    }
}
