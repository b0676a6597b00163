package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.MiniFloat;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;

/// [MiniFloat] in aten operators, on float32 tensors of any device.
final class AtenMiniFloat {
    private static final int EXPONENT = 0x7f800000;

    private AtenMiniFloat() {}

    /// The bits of [MiniFloat#round], as [MiniFloatVectors] computes them.
    static Tensor round(Tensor v, MiniFloat format) {
        Tensor magnitude = v.abs().clamp_max(new Scalar(format.max()));
        Tensor exponents = Ops.view(magnitude, DType.I32)
                .bitwise_and(new Scalar(EXPONENT))
                .clamp_min(new Scalar((format.minExponent() + 127) << 23));
        Tensor rounder = Ops.view(exponents.add(new Scalar((23 - format.mantissaBits()) << 23)), DType.F32);
        return magnitude.add(rounder).sub_(rounder).copysign(v);
    }

    /// The codes of numbers that [#round] gave, as [MiniFloat#encode] makes them.
    ///
    /// @return U8
    static Tensor encode(Tensor rounded, MiniFloat format) {
        Tensor nan = rounded.isnan();
        Tensor scaled = Ops.mul(rounded.abs(), Math.scalb(1f, format.bias() - 127));
        Tensor magnitude = Ops.view(scaled, DType.I32).bitwise_right_shift(new Scalar(23 - format.mantissaBits()));
        Tensor sign = Ops.to(rounded.signbit(), DType.I32).mul(new Scalar(1 << (format.bits() - 1)));
        return Ops.to(Ops.maskedFill(magnitude.add(sign), nan, format.hasNaN() ? 0x7f : 0), DType.U8);
    }

    /// The numbers that codes stand for, as float32.
    static Tensor decode(Tensor codes, MiniFloat format) {
        return lookup(codes, 1 << format.bits(), code -> format.decode((byte) code));
    }

    /// What a function makes of small whole numbers, as float32 of the same shape.
    ///
    /// @param index of any integer type, from 0 to `size - 1`
    static Tensor lookup(Tensor index, int size, IntFunction<Float> function) {
        float[] table = new float[size];
        for (int i = 0; i < size; i++) {
            table[i] = function.apply(i);
        }
        Tensor values = Ops.toDeviceOf(Torch.of(table, size), index);
        return values.index_select(0, Ops.to(index, DType.I64).reshape(-1)).view(Torch.shape(index));
    }
}
