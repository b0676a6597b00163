package dev.halftone.config.schema;

import dev.halftone.quant.Numerics;
import org.jspecify.annotations.Nullable;

/// How the scales of weights are trained beside them.
public enum LearnedScales {
    /// As torchao's `range_learning`.
    RANGE_LEARNING(Numerics.TORCHAO_RANGE_LEARNING),
    /// Learned step size quantization: other scales to start with, and smaller gradients.
    LSQ(Numerics.LSQ);

    private final Numerics numerics;

    LearnedScales(Numerics numerics) {
        this.numerics = numerics;
    }

    /// Those of torchao where nothing is learned.
    static Numerics numerics(@Nullable LearnedScales learned) {
        return learned == null ? Numerics.TORCHAO : learned.numerics;
    }
}
