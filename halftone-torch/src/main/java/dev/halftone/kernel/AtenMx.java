package dev.halftone.kernel;

import static dev.halftone.kernel.AtenOps.number;
import static dev.halftone.kernel.AtenOps.withoutNaN;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.MxOracle;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/// The formulas of [MxOracle] as aten operators: for any device.
///
/// Tensors are seen as `[B, group]`, a block a row, in float32; B1 is one value a block.
record AtenMx(MxGrid grid) implements GridKernel {
    /// The numbers of a tensor's elements and the bytes of its scales, int32.
    private record Elements(Tensor number_BG, Tensor bytes_B1) {}

    @Override
    public Quantized quantize(Tensor x) {
        long[] scaleShape = GridKernel.scaleShape(x, grid);
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Elements e = elements(x);
            MiniFloat format = grid.format().format();
            Tensor codes_BG = format == null
                    ? Ops.to(withoutNaN(Ops.mul(e.number_BG, 64)), DType.I8)
                    : AtenMiniFloat.encode(e.number_BG, format);
            Tensor scale_B1 = Ops.view(Ops.to(e.bytes_B1, DType.U8), DType.F8_E8M0);
            return new Quantized(
                    scope.keep(codes_BG.view(Torch.shape(x))), scope.keep(scale_B1.view(scaleShape)), null, null);
        }
    }

    @Override
    public Tensor dequantize(Quantized quantized) {
        int group = grid.granularity().groupSize(quantized.codes().size(-1));
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor codes_BG = quantized.codes().reshape(-1, group);
            MiniFloat format = grid.format().format();
            Tensor number_BG = format == null
                    ? Ops.to(codes_BG, DType.F32).mul(new Scalar(0x1p-6))
                    : AtenMiniFloat.decode(codes_BG, format);
            Tensor bytes_B1 = Ops.view(quantized.scale().contiguous(), DType.U8).view(-1, 1);
            return scope.keep(values(number_BG, bytes_B1).view(Torch.shape(quantized.codes())));
        }
    }

    @Override
    public void fakeQuantize(Tensor x, Tensor out) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Elements e = elements(x);
            out.copy_(values(e.number_BG, e.bytes_B1).view(Torch.shape(x)));
        }
    }

    @Override
    public Tensor gradient(Tensor x, Tensor upstream, GradientRule rule) {
        return upstream;
    }

    private Elements elements(Tensor x) {
        int group = GridKernel.group(x, grid);
        Tensor x_BG = Ops.to(x.reshape(-1, group), DType.F32);
        Tensor bytes_B1 = bytes(Ops.amax(x_BG.abs(), -1));
        Tensor divisor_B1 = AtenMiniFloat.lookup(bytes_B1, 256, b -> MxOracle.divisor(b, grid));
        Tensor signed_BG = grid.numerics() == Numerics.TORCHAO ? x_BG : Ops.add(x_BG, 0);
        return new Elements(round(signed_BG.div(divisor_B1)), bytes_B1);
    }

    private Tensor round(Tensor v) {
        MiniFloat format = grid.format().format();
        if (format != null) {
            return AtenMiniFloat.round(v, format);
        }
        return Ops.add(Ops.clamp(Ops.mul(v, 64).round(), -127, 127).mul(new Scalar(0x1p-6)), 0);
    }

    private Tensor values(Tensor number_BG, Tensor bytes_B1) {
        Tensor scale_B1 = AtenMiniFloat.lookup(bytes_B1, 256, MxOracle::scale);
        return Ops.to(number_BG.mul(scale_B1), grid.dtype());
    }

    /// [MxOracle#scaleByte]
    private Tensor bytes(Tensor amax_B1) {
        MxFormat format = grid.format();
        Tensor bits_B1 = Ops.view(amax_B1, DType.I32);
        // A whole number as a double would make the tensor one of floats.
        Scalar emax = new Scalar(format.maxExponent());
        Tensor bytes_B1 = switch (grid.mode()) {
            case FLOOR -> field(bits_B1).sub(emax);
            case CEIL -> field(bits_B1).add(mantissa(bits_B1).gt(new Scalar(0))).sub(emax);
            case EVEN ->
                field(bits_B1.add(new Scalar(MxOracle.evenAddend(format)))).sub(emax);
            case RCEIL -> {
                Tensor quotient_B1 = Ops.view(amax_B1.div(number(amax_B1, format.max())), DType.I32);
                Tensor field_B1 = field(quotient_B1);
                Tensor slack_B1 = AtenMiniFloat.lookup(field_B1, 256, f -> (float) MxOracle.slack(f));
                yield field_B1.add(Ops.to(mantissa(quotient_B1), DType.F32).gt(slack_B1));
            }
        };
        Tensor clamped_B1 = bytes_B1.clamp_min(new Scalar(0)).clamp_max(new Scalar(254));
        return Ops.maskedFill(clamped_B1, amax_B1.isnan(), 255);
    }

    private static Tensor field(Tensor bits) {
        return bits.bitwise_right_shift(new Scalar(23)).bitwise_and(new Scalar(0xff));
    }

    private static Tensor mantissa(Tensor bits) {
        return bits.bitwise_and(new Scalar(0x7fffff));
    }
}
