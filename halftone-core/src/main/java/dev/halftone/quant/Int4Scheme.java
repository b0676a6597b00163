package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;
import org.jspecify.annotations.Nullable;

/// int4 weights between the minimum and the maximum of each group, activations in float.
///
/// @param granularity which weights share a scale and a minimum
/// @param numerics FBGEMM: what torchao 0.18 stores, and trained as it is stored; FBGEMM_TRAINING: what
///     torchao trains; TINYGEMM: its older quantizers
/// @param scaleGradient whether the gradient flows through minimum and maximum, as in torchao's autograd;
///     not for TINYGEMM
public record Int4Scheme(Granularity granularity, Numerics numerics, boolean scaleGradient) implements QuantScheme {
    public Int4Scheme {
        switch (numerics) {
            case FBGEMM, FBGEMM_TRAINING -> {}
            case TINYGEMM -> {
                if (scaleGradient) {
                    throw new InputException("scale_gradient: tinygemm gives its scales none. Use numerics fbgemm.");
                }
            }
            default ->
                throw new InputException(
                        "numerics: int4 between minimum and maximum has none of %s. Use fbgemm, fbgemm-training or tinygemm."
                                .formatted(numerics.label()));
        }
    }

    @Override
    public Grid weights(DType dtype) {
        return switch (numerics) {
            case TINYGEMM -> Int4Grid.tinygemm(dtype, granularity);
            case FBGEMM_TRAINING -> Int4Grid.minimum(dtype, DType.F32, granularity, scaleGradient);
            default -> Int4Grid.minimum(dtype, dtype, granularity, scaleGradient);
        };
    }

    @Override
    public @Nullable Grid activations(DType dtype) {
        return null;
    }

    @Override
    public String label() {
        String group = granularity.label();
        return "int4wo-asym-" + group + "@" + numerics.label() + (scaleGradient ? "+scale-gradient" : "");
    }
}
