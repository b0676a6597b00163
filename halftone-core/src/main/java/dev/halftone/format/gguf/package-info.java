/// llama.cpp's GGUF files.
///
/// [dev.halftone.format.gguf.GgufFile] reads one: metadata, tensors, and their values as float32.
/// [dev.halftone.format.gguf.GgufCheckpoint] has its tensors by transformers' names, in their own blocks.
/// [dev.halftone.format.gguf.GgufImport] makes a Hugging Face folder of one.
/// [dev.halftone.format.gguf.LatticeBlocks] makes blocks of trained codes, [dev.halftone.format.gguf.GgufWriter] files
/// of them.
///
/// The format is specified in ggml's `docs/gguf.md`; block layouts follow ggml's `ggml-common.h` and the reference
/// implementation in numpy, gguf-py 0.19 `quants.py`.
@NullMarked
package dev.halftone.format.gguf;

import org.jspecify.annotations.NullMarked;
