package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;
import org.jspecify.annotations.Nullable;

/// intN weights as compressed-tensors 0.20 computes them, with or without int8 dynamic activations: its
/// presets `W4A16`, `W4A16_ASYM` and `W8A8`.
///
/// @param weightBits 2 to 8
/// @param granularity which weights share a scale
/// @param symmetric whether weights have no zero point
/// @param int8Activations whether inputs are quantized symmetrically, per token, on the fly
public record CompressedIntScheme(int weightBits, Granularity granularity, boolean symmetric, boolean int8Activations)
        implements QuantScheme {
    public CompressedIntScheme {
        if (weightBits < 2 || weightBits > 8) {
            throw new InputException("weight_dtype: int%d is not supported. Use int2 to int8.".formatted(weightBits));
        }
    }

    /// int4 weights in groups, activations in float.
    public static CompressedIntScheme w4a16(Granularity granularity, boolean symmetric) {
        return new CompressedIntScheme(4, granularity, symmetric, false);
    }

    /// int8 weights, one scale an output channel, and int8 activations, one scale a token.
    public static CompressedIntScheme w8a8() {
        return new CompressedIntScheme(8, new Granularity.PerAxis(), true, true);
    }

    @Override
    public Numerics numerics() {
        return Numerics.COMPRESSED_TENSORS;
    }

    @Override
    public Grid weights(DType dtype) {
        return new CompressedIntGrid(weightBits, symmetric, dtype, granularity);
    }

    @Override
    public @Nullable Grid activations(DType dtype) {
        return int8Activations ? new CompressedIntGrid(8, true, dtype, new Granularity.PerAxis()) : null;
    }

    @Override
    public String label() {
        String group = granularity.label();
        return "w%da%d%s-%s@%s"
                .formatted(
                        weightBits,
                        int8Activations ? 8 : 16,
                        symmetric ? "" : "-asym",
                        group,
                        numerics().label());
    }
}
