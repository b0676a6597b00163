package dev.halftone.qat;

import dev.halftone.quant.QuantScheme;

/// A linear layer that a plan matched: a row of the table that `prepare`, `convert` and `quantize` return.
///
/// @param name dotted path in the module tree
public record QuantizedLayer(String name, long outFeatures, long inFeatures, QuantScheme scheme) {}
