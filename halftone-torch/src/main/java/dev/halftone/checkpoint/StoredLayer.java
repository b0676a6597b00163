package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.quant.QuantScheme;

/// What a folder says of a quantized layer.
///
/// @param layout of its weight
/// @param dtype type of the weight that was quantized, and of the arithmetic between codes and values
record StoredLayer(QuantScheme scheme, WeightLayout layout, DType dtype) {}
