package dev.halftone.quant;

import dev.halftone.DType;

/// int8 weights, one scale an output channel, and int8 activations, one scale a token, chosen on the fly:
/// torchao 0.18's `Int8DynamicActivationInt8WeightConfig`, for which torchao has no training.
///
/// `Int8Tensor.from_hp` chooses scales in the dtype of the input, not below 2^-23, and casts them to
/// float32, which carries the rest: [IntxOracle] with other types and another eps.
///
/// @param asymmetricActivations whether activations have a zero point
public record Int8Scheme(boolean asymmetricActivations) implements QuantScheme {
    private static final float EPS = 0x1p-23f;

    @Override
    public Numerics numerics() {
        return Numerics.TORCHAO;
    }

    @Override
    public Grid weights(DType dtype) {
        return grid(true, dtype);
    }

    @Override
    public Grid activations(DType dtype) {
        return grid(!asymmetricActivations, dtype);
    }

    private static IntxGrid grid(boolean symmetric, DType dtype) {
        return new IntxGrid(-128, 127, symmetric, dtype, DType.F32, EPS, new Granularity.PerAxis());
    }

    @Override
    public String label() {
        return asymmetricActivations ? "w8a8-asym" : "w8a8";
    }
}
