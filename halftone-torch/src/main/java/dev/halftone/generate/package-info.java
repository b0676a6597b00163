/// Text from a model, one token at a time.
///
/// [dev.halftone.generate.Generator] runs the model over token ids, [dev.halftone.generate.Sampler] picks the next
/// one, [dev.halftone.generate.TextGenerator] puts a tokenizer around both.
@NullMarked
package dev.halftone.generate;

import org.jspecify.annotations.NullMarked;
