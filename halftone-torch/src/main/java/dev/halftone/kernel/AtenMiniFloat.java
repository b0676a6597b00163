package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.MiniFloat;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.function.IntFunction;
import org.bytedeco.pytorch.DoubleOptional;
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
        Tensor rounder = Ops.view(Ops.add(exponents, (23 - format.mantissaBits()) << 23), DType.F32);
        return magnitude.add(rounder).sub_(rounder).copysign(v);
    }

    /// The codes of numbers that [#round] gave, as [MiniFloat#encode] makes them.
    ///
    /// @return U8
    static Tensor encode(Tensor rounded, MiniFloat format) {
        Tensor v = rounded;
        if (!format.hasNaN()) {
            v = rounded.nan_to_num(new DoubleOptional(0), new DoubleOptional(), new DoubleOptional());
        }
        Tensor scaled = Ops.mul(v.abs(), Math.scalb(1f, format.bias() - 127));
        Tensor magnitude = Ops.view(scaled, DType.I32)
                .bitwise_right_shift(new Scalar(23 - format.mantissaBits()))
                .bitwise_and(new Scalar((1 << (format.bits() - 1)) - 1));
        Tensor sign = Ops.view(v, DType.I32).lt(new Scalar(0)).logical_and_(v.isnan().logical_not_());
        return Ops.to(magnitude.add(Ops.mul(Ops.to(sign, DType.I32), 1 << (format.bits() - 1))), DType.U8);
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
