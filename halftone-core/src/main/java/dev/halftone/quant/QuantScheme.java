package dev.halftone.quant;

import dev.halftone.DType;
import org.jspecify.annotations.Nullable;

/// What a layer is quantized to, and whose arithmetic that is. A closed family: the compiler names every place that a
/// new scheme has to fill.
public sealed interface QuantScheme
        permits IntxScheme,
                Int4Scheme,
                Int8Scheme,
                CompressedIntScheme,
                GgufScheme,
                MxScheme,
                Nvfp4Scheme,
                Float8Scheme,
                Float8Int4Scheme,
                ModelOptScheme,
                StaticActivationScheme {
    /// Short name for tables and logs, such as `8da4w-g32`. One name never means two grids.
    String label();

    /// The deployment that its numbers are equal to.
    Numerics numerics();

    /// What weights of this dtype are mapped to.
    Grid weights(DType dtype);

    /// What inputs of this dtype are mapped to; null where they stay in float.
    @Nullable
    Grid activations(DType dtype);

    /// Whether the scale of inputs is found beforehand, by calibration, so that they are mapped to a [StaticGrid] with
    /// the numbers of [#activations].
    default boolean staticActivations() {
        return false;
    }

    /// Why it cannot be trained, only quantized to; null where it can.
    default @Nullable String untrainable() {
        return null;
    }
}
