package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;

/// float8 (e4m3) weights and float8 dynamic activations: torchao's
/// `Float8DynamicActivationFloat8WeightConfig`, compressed-tensors' FP8_DYNAMIC.
///
/// @param granularity PerAxis for a scale a row (an output channel, a token), PerTensor for one scale
/// @param activationLowest the least that the largest magnitude of an activation counts as; 0 for no such
///     bound
/// @param activationHighest the most; infinity for no such bound
/// @param scaleGradient whether gradients flow through scales, under a [GradientRule] other than IDENTITY
/// @param numerics TORCHAO, finite for zeros; TORCHAO_VERBATIM, torchao's to the letter, gradients through
///     scales included; COMPRESSED_TENSORS
public record Float8Scheme(
        Granularity granularity,
        float activationLowest,
        float activationHighest,
        boolean scaleGradient,
        Numerics numerics)
        implements QuantScheme {
    public Float8Scheme {
        if (granularity instanceof Granularity.PerGroup) {
            throw new InputException("granularity: float8 has no groups. Use `row` or `tensor`.");
        }
        if (!(activationLowest >= 0 && activationLowest < activationHighest)) {
            throw new InputException("activation_value_lb: %s is not between 0 and activation_value_ub. Leave it out."
                    .formatted(activationLowest));
        }
        formula(numerics);
        if (scaleGradient && numerics != Numerics.TORCHAO) {
            throw new InputException("scale_gradient: %s has no such choice. Leave it out, or use the numerics %s."
                    .formatted(numerics.label(), Numerics.TORCHAO.label()));
        }
        if (numerics == Numerics.COMPRESSED_TENSORS && bounded(activationLowest, activationHighest)) {
            throw new InputException(
                    "activation_value_lb: compressed-tensors has no such bounds. Leave it and activation_value_ub out.");
        }
    }

    /// torchao's, without bounds and with the plain straight-through gradient.
    public Float8Scheme(Granularity granularity) {
        this(granularity, 0, Float.POSITIVE_INFINITY, false, Numerics.TORCHAO);
    }

    private static boolean bounded(float lowest, float highest) {
        return lowest > 0 || highest < Float.POSITIVE_INFINITY;
    }

    static AmaxGrid.Formula formula(Numerics numerics) {
        return switch (numerics) {
            case TORCHAO -> AmaxGrid.Formula.FLOAT8;
            case TORCHAO_VERBATIM -> AmaxGrid.Formula.FLOAT8_TORCHAO;
            case COMPRESSED_TENSORS -> AmaxGrid.Formula.FLOAT8_COMPRESSED;
            default ->
                throw new InputException("numerics: float8 has none of %s. Use %s, %s or %s."
                        .formatted(
                                numerics.label(),
                                Numerics.TORCHAO.label(),
                                Numerics.TORCHAO_VERBATIM.label(),
                                Numerics.COMPRESSED_TENSORS.label()));
        };
    }

    @Override
    public AmaxGrid weights(DType dtype) {
        AmaxGrid grid = AmaxGrid.float8(formula(numerics), dtype, granularity);
        boolean toTheLetter = numerics == Numerics.TORCHAO_VERBATIM;
        return scaleGradient || toTheLetter ? grid.withScaleGradient(toTheLetter) : grid;
    }

    @Override
    public AmaxGrid activations(DType dtype) {
        return weights(dtype).bounded(activationLowest, activationHighest);
    }

    @Override
    public String label() {
        String blocks = granularity instanceof Granularity.PerTensor ? "tensor" : "row";
        String bounds = bounded(activationLowest, activationHighest)
                ? "-amax[%s,%s]".formatted(activationLowest, activationHighest)
                : "";
        String suffix = numerics == Numerics.TORCHAO ? "" : "@" + numerics.label();
        return "float8-" + blocks + bounds + (scaleGradient ? "+scale-gradient" : "") + suffix;
    }
}
