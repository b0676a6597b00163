package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.format.compressed.CompressionFormat;
import dev.halftone.quant.QuantScheme;

/// What a folder says of a quantized layer.
///
/// @param format of its weight
/// @param dtype type of the weight that was quantized, and of the arithmetic between codes and values
record StoredLayer(QuantScheme scheme, CompressionFormat format, DType dtype) {}
