package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;

/// int4 weights in groups, and float8 (e4m3) dynamic activations, one scale a token: torchao's
/// `Float8DynamicActivationInt4WeightConfig`.
///
/// torchao trains other weights than it stores: in training it rounds them to float8 first, and chooses their
/// scales in the dtype of the weight. Here the default is to train what is stored.
///
/// @param granularity groups; torchao has those of 128
/// @param numerics TORCHAO, what is stored; TORCHAO_VERBATIM, what torchao's `prepare` computes
public record Float8Int4Scheme(Granularity granularity, Numerics numerics) implements QuantScheme {
    /// torchao's `hp_value_lb` of the weights' float8 rounding.
    private static final float LOWEST_AMAX = 1e-12f;

    public Float8Int4Scheme {
        if (!(granularity instanceof Granularity.PerGroup)) {
            throw new InputException("groupsize: these int4 weights have groups only. Use a number, such as 128.");
        }
        if (numerics != Numerics.TORCHAO && numerics != Numerics.TORCHAO_VERBATIM) {
            throw new InputException("numerics: int4 weights with float8 activations have none of %s. Use %s or %s."
                    .formatted(numerics.label(), Numerics.TORCHAO.label(), Numerics.TORCHAO_VERBATIM.label()));
        }
    }

    @Override
    public Grid weights(DType dtype) {
        if (numerics == Numerics.TORCHAO) {
            return Int4Grid.magnitude(dtype, granularity);
        }
        AmaxGrid rows = activations(dtype).bounded(LOWEST_AMAX, Float.POSITIVE_INFINITY);
        return new ChainedGrid(rows, AmaxGrid.int4Training(dtype, granularity).withScaleGradient(false));
    }

    @Override
    public AmaxGrid activations(DType dtype) {
        return new Float8Scheme(new Granularity.PerAxis(), 0, Float.POSITIVE_INFINITY, false, numerics)
                .activations(dtype);
    }

    @Override
    public String label() {
        String suffix = numerics == Numerics.TORCHAO ? "" : "@" + numerics.label();
        return "float8-int4-g" + granularity + suffix;
    }
}
