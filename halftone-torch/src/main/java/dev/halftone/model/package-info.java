/// Language models, built from the `config.json` of a Hugging Face folder.
///
/// [dev.halftone.model.Models] loads one, [dev.halftone.model.CausalLm] is what it returns. A model family is a
/// class such as [dev.halftone.model.Llama]: a function from configuration and weights to a `CausalLm`, composed of
/// the pieces in [dev.halftone.nn], whose module paths are the tensor names of the family's checkpoints.
/// [dev.halftone.model.Family] lists them.
///
/// Tensor variables carry their shape as a suffix: B batch, S positions, D model width, V vocabulary, N any rows.
@NullMarked
package dev.halftone.model;

import org.jspecify.annotations.NullMarked;
