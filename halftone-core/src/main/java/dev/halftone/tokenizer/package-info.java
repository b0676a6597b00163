/// Text to token ids and back, by Hugging Face's own tokenizer library.
///
/// Start at [Tokenizers#load] (a folder with a `tokenizer.json`) and [Tokenizer]; [StreamingDecoder] turns the
/// tokens of a running generation into text, piece by piece. Nothing outside this package knows the library
/// behind it.
@NullMarked
package dev.halftone.tokenizer;

import org.jspecify.annotations.NullMarked;
