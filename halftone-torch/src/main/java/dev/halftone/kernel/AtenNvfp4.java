package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Nvfp4Oracle;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/// The formulas of [Nvfp4Oracle] as aten operators: for any device.
///
/// Tensors are seen as `[B, group]`, a block a row, in float32; B1 is one value a block.
record AtenNvfp4(Nvfp4Grid grid) implements GridKernel {
    /// The E2M1 numbers of a tensor's values, the scales of its blocks and its own.
    private record Elements(Tensor number_BG, Tensor scale_B1, Tensor g_1) {}

    @Override
    public Quantized quantize(Tensor x) {
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Elements e = elements(x);
            Tensor codes = AtenMiniFloat.encode(e.number_BG, MiniFloat.E2M1).view(Torch.shape(x));
            Tensor bytes = AtenMiniFloat.encode(e.scale_B1, MiniFloat.E4M3);
            Tensor scale = Ops.view(bytes, DType.F8_E4M3).view(scaleShape);
            return new Quantized(
                    scope.keep(codes), scope.keep(scale), null, grid.tensorScale() ? scope.keep(e.g_1) : null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        int group = grid.granularity().groupSize(quantized.codes().size(-1));
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor number_BG = AtenMiniFloat.decode(quantized.codes().reshape(-1, group), MiniFloat.E2M1);
            Tensor scale_B1 = Ops.to(quantized.scale(), DType.F32).reshape(-1, 1);
            Tensor g = quantized.tensorScale();
            Tensor unit_B1 = unit(scale_B1, g == null ? number(scale_B1, 1) : g);
            return scope.keep(values(number_BG, unit_B1).view(Torch.shape(quantized.codes())));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Elements e = elements(x);
            out.copy_(values(e.number_BG, unit(e.scale_B1, e.g_1)).view(Torch.shape(x)));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        return upstream;
    }

    private Elements elements(Tensor x) {
        int group = GridKernel.group(x, grid);
        Tensor x_BG = Ops.to(x.reshape(-1, group), DType.F32);
        Tensor amax_B1 = Ops.amax(x_BG.abs(), -1);
        Tensor g_1 = tensorScale(amax_B1);
        Tensor scale_B1 = scale(amax_B1, g_1);
        return new Elements(AtenMiniFloat.round(scaled(x_BG, scale_B1, g_1), MiniFloat.E2M1), scale_B1, g_1);
    }

    /// [Nvfp4Oracle#tensorScale]
    private Tensor tensorScale(Tensor amax_B1) {
        if (!grid.tensorScale() || amax_B1.numel() == 0) {
            return number(amax_B1, Nvfp4Oracle.tensorScale(0, grid));
        }
        Tensor amax_1 = Ops.amax(amax_B1.view(-1), -1);
        Tensor range = number(amax_1, Nvfp4Oracle.RANGE);
        if (grid.numerics() != Numerics.COMPRESSED_TENSORS) {
            return amax_1.div(range).clamp_min(new Scalar(Nvfp4Oracle.SMALLEST));
        }
        Tensor inverse_1 = rounded(
                amax_1.clamp_min(new Scalar(grid.dtype().smallestNormal())).reciprocal());
        Tensor g_1 = rounded(inverse_1.mul(range));
        return Ops.maskedFill(g_1, g_1.isfinite().logical_not(), 1);
    }

    /// The scale of [Nvfp4Oracle#choose].
    private Tensor scale(Tensor amax_B1, Tensor g_1) {
        Tensor six = number(amax_B1, 6);
        return switch (grid.numerics()) {
            case TORCHAO -> e4m3(amax_B1.div(six).div(g_1).clamp_min(new Scalar(0x1p-6)));
            case MODELOPT -> {
                Tensor quotient_B1 = amax_B1.div(g_1.mul(six));
                Tensor nothing_B1 = quotient_B1.eq(new Scalar(0));
                yield e4m3(Ops.maskedFill(quotient_B1.clamp_min(new Scalar(0x1p-9)), nothing_B1, 1));
            }
            case MODELOPT_TRAINING -> e4m3(amax_B1.div(g_1.mul(six)));
            case COMPRESSED_TENSORS -> {
                Tensor scale_B1 = e4m3(rounded(amax_B1.div(six)).mul(g_1));
                yield Ops.maskedFill(scale_B1, scale_B1.eq(new Scalar(0)), 0.125);
            }
            default -> throw new IllegalArgumentException("no NVFP4 of " + grid.numerics());
        };
    }

    private Tensor unit(Tensor scale_B1, Tensor g_1) {
        return grid.numerics() == Numerics.COMPRESSED_TENSORS ? scale_B1.div(g_1) : scale_B1.mul(g_1);
    }

    /// Values in units of their blocks.
    private Tensor scaled(Tensor x_BG, Tensor scale_B1, Tensor g_1) {
        if (grid.numerics() == Numerics.TORCHAO) {
            return x_BG.mul(g_1.reciprocal().div(scale_B1));
        }
        Tensor unit_B1 = unit(scale_B1, g_1);
        return Ops.maskedFill(Ops.add(x_BG, 0).div(unit_B1), unit_B1.eq(new Scalar(0)), 0);
    }

    private Tensor values(Tensor number_BG, Tensor unit_B1) {
        return Ops.to(number_BG.mul(unit_B1), grid.dtype());
    }

    private static Tensor e4m3(Tensor t) {
        return AtenMiniFloat.round(t, MiniFloat.E4M3);
    }

    /// Through the type of the values.
    private Tensor rounded(Tensor t) {
        return Ops.to(Ops.to(t, grid.dtype()), DType.F32);
    }
}
