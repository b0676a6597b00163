package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;
import static dev.halftone.kernel.AtenOps.passes;
import static dev.halftone.kernel.AtenOps.withoutNaN;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Int4Grid;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The formulas of [dev.halftone.quant.Int4Oracle] as aten operators: for any device.
///
/// Tensors are seen as `[B, G]`, a group a row; B1 is one value a group. Where tensors of two types meet,
/// torch's type promotion is what the formulas want.
record AtenInt4(Int4Grid grid) implements GridKernel {
    private static final int STEPS = 15;

    /// The levels of each group, `[B, 1]` or a single value; scale and origin are in the type that values
    /// are counted in, what is stored in that of the scale.
    private record Blocks(Tensor lo, Tensor hi, Tensor scale, Tensor origin, Tensor stored, Tensor zero) {}

    @Override
    public Quantized quantize(Tensor x) {
        int group = GridKernel.group(x, grid);
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = choose(x_BG);
            Tensor q_BG = Ops.add(clamp(unclamped(x_BG, blocks)), -grid.recentre());
            q_BG = withoutNaN(q_BG);
            Tensor codes = scope.keep(Ops.to(q_BG, grid.codeDtype()).view(Torch.shape(x)));
            Tensor scale = scope.keep(blocks.stored.reshape(scaleShape));
            Tensor zero = grid.zeroPointDtype() == null ? null : scope.keep(blocks.zero.reshape(scaleShape));
            return new Quantized(codes, scale, zero, null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        Tensor codes = quantized.codes();
        int group = grid.granularity().groupSize(codes.size(-1));
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor q_BG = Ops.to(codes, grid.productDtype()).reshape(-1, group);
            Tensor zero = quantized.zeroPoint();
            Tensor y_BG = values(
                    Ops.add(q_BG, -grid.middle()),
                    quantized.scale().reshape(-1, 1),
                    zero == null ? null : zero.reshape(-1, 1));
            return scope.keep(y_BG.view(Torch.shape(codes)));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        int group = GridKernel.group(x, grid);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = choose(x_BG);
            Tensor level_BG = Ops.add(clamp(unclamped(x_BG, blocks)), -grid.recentre() - grid.middle());
            out.view(-1, group).copy_(values(level_BG, blocks.stored, blocks.zero));
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
            Tensor g_BG = upstream.reshape(-1, group);
            Blocks blocks = choose(x_BG);
            Tensor gradient_BG;
            if (grid.scaleGradient()) {
                gradient_BG = withScale(Ops.to(x_BG, DType.F32), Ops.to(g_BG, DType.F32), blocks, rule);
            } else if (grid.rule() == Int4Grid.Rule.TINYGEMM) {
                Tensor a_BG = Ops.to(g_BG.mul(blocks.stored), grid.dtype());
                gradient_BG = stop(a_BG, unclamped(x_BG, blocks), rule).div(blocks.stored);
            } else {
                gradient_BG = stop(g_BG, unclamped(x_BG, blocks), rule);
            }
            return scope.keep(Ops.to(gradient_BG, grid.dtype()).view(Torch.shape(x)));
        }
    }

    /// The gradient through minimum and maximum, in float32.
    private Tensor withScale(Tensor x_BG, Tensor g_BG, Blocks blocks, GradientRule rule) {
        Tensor t_BG = unclamped(x_BG, blocks);
        Tensor a_BG = stop(g_BG.mul(blocks.stored), t_BG, rule);
        Tensor b_BG = a_BG.div(blocks.scale);
        Tensor level_BG = Ops.add(clamp(t_BG), -8);
        Tensor steps_BG = x_BG.sub(blocks.origin).div(blocks.scale).div(blocks.scale);
        Tensor sum_B1 = AtenSums.halving(g_BG);
        Tensor ds_B1 = AtenSums.halving(g_BG.mul(level_BG))
                .sub(AtenSums.halving(a_BG.mul(steps_BG)))
                .add(Ops.mul(sum_B1, 8));
        Tensor range_B1 = blocks.hi.sub(blocks.lo);
        Scalar eps = new Scalar(grid.eps());
        Tensor passes_B1 = rule == GradientRule.CLOSED ? range_B1.ge(eps) : range_B1.gt(eps);
        Tensor dr_B1 = Ops.maskedFill(ds_B1.div(number(ds_B1, STEPS)), passes_B1.logical_not(), 0);
        Tensor isHi_BG = x_BG.eq(blocks.hi);
        Tensor isLo_BG = x_BG.eq(blocks.lo);
        Tensor dHi_B1 = dr_B1.div(AtenSums.halving(Ops.to(isHi_BG, DType.F32)));
        Tensor dLo_B1 = sum_B1.sub(AtenSums.halving(b_BG)).sub(dr_B1).div(AtenSums.halving(Ops.to(isLo_BG, DType.F32)));
        Tensor d_BG = Ops.where(isHi_BG, b_BG.add(dHi_B1), b_BG);
        return Ops.where(isLo_BG, d_BG.add(dLo_B1), d_BG);
    }

    private Blocks choose(Tensor x_BG) {
        Tensor lo_B1 = Ops.amin(x_BG, -1);
        Tensor hi_B1 = Ops.amax(x_BG, -1);
        if (grid.rule() == Int4Grid.Rule.TINYGEMM) {
            Tensor r_B1 = hi_B1.sub(lo_B1).div(number(x_BG, STEPS)).clamp_min(new Scalar(grid.eps()));
            Tensor scale_B1 = Ops.to(r_B1, grid.scaleDtype());
            Tensor zero_B1 = Ops.to(lo_B1.add(Ops.mul(r_B1, 8)), grid.scaleDtype());
            Tensor origin_B1 = zero_B1.sub(Ops.mul(scale_B1, 8));
            return new Blocks(lo_B1, hi_B1, scale_B1, origin_B1, scale_B1, zero_B1);
        }
        lo_B1 = Ops.to(lo_B1, DType.F32);
        hi_B1 = Ops.to(hi_B1, DType.F32);
        boolean aroundZero = grid.rule() == Int4Grid.Rule.MAGNITUDE;
        Tensor range_B1 = aroundZero ? lo_B1.abs().maximum(hi_B1.abs()) : hi_B1.sub(lo_B1);
        Tensor scale_B1 = range_B1.clamp_min(new Scalar(grid.eps())).div(number(lo_B1, aroundZero ? 8 : STEPS));
        Tensor zero = aroundZero ? number(lo_B1, 0) : lo_B1.add(Ops.mul(scale_B1, 8));
        return new Blocks(
                lo_B1,
                hi_B1,
                scale_B1,
                aroundZero ? zero : lo_B1,
                Ops.to(scale_B1, grid.scaleDtype()),
                Ops.to(zero, grid.scaleDtype()));
    }

    /// Steps before they are clamped.
    private Tensor unclamped(Tensor x_BG, Blocks blocks) {
        return Ops.to(x_BG, grid.stepDtype())
                .sub(blocks.origin)
                .div(blocks.scale)
                .round();
    }

    private Tensor clamp(Tensor t) {
        return Ops.clamp(t, grid.lowest(), grid.lowest() + STEPS);
    }

    /// The values of levels, which are overwritten.
    private Tensor values(Tensor level_BG, Tensor stored_B1, @Nullable Tensor zero_B1) {
        Tensor y_BG = Ops.to(level_BG, grid.productDtype()).mul_(stored_B1);
        y_BG = zero_B1 == null ? Ops.add_(y_BG, 0) : y_BG.add_(zero_B1);
        return Ops.to(y_BG, grid.dtype());
    }

    /// 0 where the rule lets nothing pass; a NaN among the steps stops it.
    private Tensor stop(Tensor gradient_BG, Tensor t_BG, GradientRule rule) {
        Tensor passes_BG = passes(t_BG, grid.lowest(), grid.lowest() + STEPS, rule);
        return Ops.maskedFill(gradient_BG, passes_BG.logical_not(), 0);
    }
}
