/// What compressed-tensors, which llm-compressor writes with and vLLM and transformers read, says of quantized
/// layers in `config.json`, and how it stores their weights.
///
/// - [dev.halftone.format.compressed.CompressedTensors] schemes in its terms, and back.
/// - [dev.halftone.format.compressed.CompressionFormat] the tensors of a weight.
@NullMarked
package dev.halftone.format.compressed;

import org.jspecify.annotations.NullMarked;
