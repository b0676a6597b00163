package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;
import org.jspecify.annotations.Nullable;

/// NVFP4 weights, and inputs in NVFP4 or in float.
///
/// @param activations whether inputs are quantized too, each with scales of its own
/// @param tensorScale whether a tensor has a scale beside those of its blocks; only torchao knows it without
/// @param numerics whose: TORCHAO, MODELOPT (its file), MODELOPT_TRAINING (its training, which differs) or
///     COMPRESSED_TENSORS
public record Nvfp4Scheme(boolean activations, boolean tensorScale, Numerics numerics) implements QuantScheme {
    public Nvfp4Scheme {
        switch (numerics) {
            case TORCHAO -> {}
            case MODELOPT, MODELOPT_TRAINING, COMPRESSED_TENSORS -> {
                if (!tensorScale) {
                    throw new InputException(
                            "use_dynamic_per_tensor_scale: NVFP4 in the numerics of %s always has it. Set it to true, or use torchao's."
                                    .formatted(numerics.label()));
                }
            }
            default ->
                throw new InputException(
                        "numerics: there is no NVFP4 of %s. Use torchao, modelopt, modelopt-training or compressed-tensors."
                                .formatted(numerics.label()));
        }
    }

    @Override
    public Grid weights(DType dtype) {
        return new Nvfp4Grid(numerics, tensorScale, dtype);
    }

    /// ModelOpt's inputs are never stored, so theirs is the grid that it trains with, in its files too.
    @Override
    public @Nullable Grid activations(DType dtype) {
        if (!activations) {
            return null;
        }
        Numerics inputs = numerics == Numerics.MODELOPT ? Numerics.MODELOPT_TRAINING : numerics;
        return new Nvfp4Grid(inputs, tensorScale, dtype);
    }

    @Override
    public String label() {
        String suffix = numerics == Numerics.TORCHAO ? "" : "@" + numerics.label();
        return (activations ? "nvfp4" : "nvfp4wo") + (tensorScale ? "" : "-one_level") + suffix;
    }
}
