package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;
import java.util.Objects;

/// A scheme whose activations have one scale for a whole tensor, found by calibration, where they would have one a
/// token, chosen on the fly: torchao 0.18's `Int8StaticActivationInt8WeightConfig` with a scale a tensor for
/// activations and a row for weights, and compressed-tensors' static `W8A8` and `FP8`.
///
/// @param dynamic the weights, and the numbers of the activations: an [Int8Scheme], int8 weights and activations of a
///     [CompressedIntScheme], or a [Float8Scheme] with the numerics of compressed-tensors
public record StaticActivationScheme(QuantScheme dynamic) implements QuantScheme {
    public StaticActivationScheme {
        boolean known = switch (dynamic) {
            case Int8Scheme _ -> true;
            case CompressedIntScheme s -> s.int8Activations();
            case Float8Scheme s -> s.numerics() == Numerics.COMPRESSED_TENSORS;
            default -> false;
        };
        if (!known) {
            throw new InputException(
                    "%s has no static activations in the library that it mirrors. Use its dynamic ones."
                            .formatted(dynamic.label()));
        }
    }

    @Override
    public Numerics numerics() {
        return dynamic.numerics();
    }

    @Override
    public Grid weights(DType dtype) {
        return dynamic.weights(dtype);
    }

    @Override
    public Grid activations(DType dtype) {
        Granularity tensor = new Granularity.PerTensor();
        return switch (Objects.requireNonNull(dynamic.activations(dtype))) {
            case IntxGrid g -> g.with(tensor);
            case CompressedIntGrid g -> g.with(tensor);
            case AmaxGrid g -> g.with(tensor);
            default -> throw new IllegalStateException(dynamic.label());
        };
    }

    @Override
    public boolean staticActivations() {
        return true;
    }

    @Override
    public String label() {
        return dynamic.label() + "-static";
    }
}
