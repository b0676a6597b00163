/// torchao's quantized tensors in safetensors files, as transformers stores and loads them.
///
/// [dev.halftone.format.torchao.Torchao] has the classes that schemes become, and what a file says of them.
@NullMarked
package dev.halftone.format.torchao;

import org.jspecify.annotations.NullMarked;
