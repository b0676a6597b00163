package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;
import static dev.halftone.kernel.AtenOps.passes;
import static dev.halftone.kernel.AtenOps.withoutNaN;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxOracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The formulas of [dev.halftone.quant.IntxOracle] as aten operators: for any device.
///
/// Tensors are seen as `[B, group]`, a block a row; B1 is one value a block. Where a bfloat16 tensor meets a
/// float32 scale, torch's type promotion makes the product float32, as the formulas want it.
///
/// @param given what every block is quantized with; null where each chooses for itself
record AtenIntx(IntxGrid grid, IntxOracle.@Nullable Block given) implements IntxKernel {
    /// What a block is quantized with, `[B, 1]` each. The zero point is in the dtype of the values, free of NaN,
    /// and a single zero where the grid is symmetric.
    record Blocks(Tensor scale, Tensor inverse, Tensor zeroPoint) {}

    @Override
    public Quantized quantize(Tensor x) {
        int group = GridKernel.group(x, grid);
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = blocks(x_BG);
            Tensor t_BG = unclamped(x_BG, blocks);
            Tensor codes = codes(t_BG, grid).view(Torch.shape(x));
            Tensor scale = blocks.scale.reshape(scaleShape);
            Tensor zeroPoint = grid.symmetric()
                    ? null
                    : Ops.to(blocks.zeroPoint, DType.I32).reshape(scaleShape);
            return new Quantized(
                    scope.keep(codes), scope.keep(scale), zeroPoint == null ? null : scope.keep(zeroPoint), null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        int group = grid.granularity().groupSize(quantized.codes().size(-1));
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor q_BG = Ops.to(quantized.codes(), grid.dtype()).view(-1, group);
            Tensor zeroPoint = quantized.zeroPoint();
            Tensor offset_BG = zeroPoint == null ? q_BG : q_BG.sub(Ops.to(zeroPoint.reshape(-1, 1), grid.dtype()));
            Tensor y_BG = offset_BG.mul(quantized.scale().reshape(-1, 1));
            return scope.keep(Ops.to(y_BG, grid.dtype()).view(Torch.shape(quantized.codes())));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        int group = GridKernel.group(x, grid);
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = blocks(x_BG);
            Tensor offset_BG = clamp(unclamped(x_BG, blocks), grid).sub(blocks.zeroPoint);
            out.view(-1, group).copy_(Ops.to(offset_BG, grid.dtype()).mul(blocks.scale));
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
            Blocks blocks = blocks(x_BG);
            Tensor a_BG = Ops.to(upstream.reshape(-1, group).mul(blocks.scale), grid.dtype());
            a_BG = Ops.maskedFill(a_BG, stopped(unclamped(x_BG, blocks), grid, rule), 0);
            return scope.keep(Ops.to(a_BG.mul(blocks.inverse), grid.dtype()).view(Torch.shape(x)));
        }
    }

    @Override
    public Stops stops(Tensor x, GradientRule rule) {
        int group = GridKernel.group(x, grid);
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor x_BG = x.reshape(-1, group);
            Blocks blocks = blocks(x_BG);
            Tensor stopped = stopped(unclamped(x_BG, blocks), grid, rule).view(Torch.shape(x));
            return new Stops(scope.keep(blocks.scale.reshape(scaleShape)), scope.keep(stopped));
        }
    }

    private Blocks blocks(Tensor x_BG) {
        if (given == null) {
            return choose(x_BG, grid);
        }
        Tensor scale = Ops.to(Torch.of(new float[] {given.scale()}, 1, 1), grid.scaleDtype());
        Tensor there = Ops.toDeviceOf(scale, x_BG);
        return new Blocks(there, there.reciprocal(), number(x_BG, given.zeroPoint()));
    }

    /// Scale, its reciprocal and zero point of each row.
    static Blocks choose(Tensor x_BG, IntxGrid grid) {
        Tensor zero = number(x_BG, 0);
        Tensor lo_B1 = Ops.amin(x_BG, -1).minimum(zero);
        Tensor hi_B1 = Ops.amax(x_BG, -1).maximum(zero);
        Tensor range_B1 = grid.symmetric() ? lo_B1.neg().maximum(hi_B1) : hi_B1.sub(lo_B1);
        Tensor scale_B1 = range_B1.div(number(x_BG, grid.steps())).clamp_min(new Scalar(grid.eps()));
        Tensor zeroPoint = zero;
        if (!grid.symmetric()) {
            Tensor z_B1 = Ops.add(lo_B1.div(scale_B1).round().neg(), grid.qmin());
            zeroPoint = withoutNaN(clamp(z_B1, grid));
        }
        Tensor cast_B1 = Ops.to(scale_B1, grid.scaleDtype());
        return new Blocks(cast_B1, cast_B1.reciprocal(), zeroPoint);
    }

    /// Clamped, int8.
    static Tensor codes(Tensor t_BG, IntxGrid grid) {
        return Ops.to(withoutNaN(clamp(t_BG, grid)), DType.I8);
    }

    /// Codes before they are clamped, in the dtype of the scale.
    static Tensor unclamped(Tensor x_BG, Blocks blocks) {
        return x_BG.mul(blocks.inverse).round().add(blocks.zeroPoint);
    }

    static Tensor clamp(Tensor t, IntxGrid grid) {
        return Ops.clamp(t, grid.qmin(), grid.qmax());
    }

    /// True where the gradient stops; a NaN stops it.
    static Tensor stopped(Tensor t, IntxGrid grid, GradientRule rule) {
        return passes(t, grid.qmin(), grid.qmax(), rule).logical_not();
    }
}
