package dev.halftone.quant;

import dev.halftone.DType;
import dev.halftone.InputException;
import org.jspecify.annotations.Nullable;

/// Symmetric intN weights, with or without int8 dynamic activations. Scales are chosen from the weights, or trained
/// beside them ([Numerics#learnsScales]).
///
/// - `8da4w`: int8 asymmetric activations, one scale and zero point a token, and int4 weights.
/// - weight-only: float activations.
///
/// @param weightBits 1 to 8; 1 can only be quantized after training, as in torchao
/// @param granularity which weights share a scale
/// @param int8Activations whether inputs are quantized per token to [-128, 127] on the fly
/// @param numerics whose arithmetic this is
public record IntxScheme(int weightBits, Granularity granularity, boolean int8Activations, Numerics numerics)
        implements QuantScheme {
    public IntxScheme {
        if (weightBits < 1 || weightBits > 8) {
            throw new InputException("weight_dtype: int%d is not supported. Use int2 to int8.".formatted(weightBits));
        }
        if (numerics != Numerics.TORCHAO && numerics != Numerics.TORCHAO_LEGACY && !numerics.learnsScales()) {
            throw new InputException(
                    "numerics: intN has none of %s. Use torchao, torchao-legacy, torchao-range-learning or lsq."
                            .formatted(numerics.label()));
        }
        if (granularity instanceof Granularity.PerTensor) {
            throw new InputException("groupsize: intN has no scale for a whole tensor. Use a number or `channel`.");
        }
    }

    /// Smallest code: no narrow range, so int4 is [-8, 7].
    public int qmin() {
        return -(1 << (weightBits - 1));
    }

    /// Largest code.
    public int qmax() {
        return (1 << (weightBits - 1)) - 1;
    }

    @Override
    public Grid weights(DType dtype) {
        IntxGrid grid = IntxGrid.weights(this, dtype);
        return numerics.learnsScales() ? new LearnedGrid(grid, numerics == Numerics.LSQ) : grid;
    }

    @Override
    public @Nullable Grid activations(DType dtype) {
        return int8Activations ? IntxGrid.activations(numerics, dtype) : null;
    }

    @Override
    public @Nullable String untrainable() {
        return weightBits > 1
                ? null
                : "weight_dtype: int1 cannot be trained, since its codes are -1 and 0."
                        + " Use int2 to int8, or quantize without training.";
    }

    @Override
    public String label() {
        String group = granularity.label();
        String numericsSuffix = numerics == Numerics.TORCHAO ? "" : "@" + numerics.label();
        return (int8Activations ? "8da" + weightBits + "w" : "int" + weightBits + "wo") + "-" + group + numericsSuffix;
    }
}
