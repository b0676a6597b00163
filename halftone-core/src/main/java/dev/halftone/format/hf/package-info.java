/// Hugging Face model folders: `config.json`, weights in safetensors files, and what a tokenizer needs.
///
/// Start at [dev.halftone.format.hf.HfFolder] to read and [dev.halftone.format.hf.HfWriter] to write.
@NullMarked
package dev.halftone.format.hf;

import org.jspecify.annotations.NullMarked;
