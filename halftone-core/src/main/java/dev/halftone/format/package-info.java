/// Files that hold models: what every format shares.
///
/// - [dev.halftone.format.safetensors] tensors and their names;
/// - [dev.halftone.format.hf] a Hugging Face folder: configuration, weights in one file or several, tokenizer;
/// - [dev.halftone.format.gguf] llama.cpp's files, and their import as a Hugging Face folder;
/// - [dev.halftone.format.inspect] what is in any of them.
///
/// Readers map a file into memory and check everything that it claims about itself before they hand out a byte of
/// it or allocate anything that it asks for. Writers go through [dev.halftone.format.AtomicFiles].
@NullMarked
package dev.halftone.format;

import org.jspecify.annotations.NullMarked;
