/// The pieces that models are built from, for any model family.
///
/// [dev.halftone.nn.Module] is the tree, [dev.halftone.nn.Parameter] a trained tensor and what a forward pass makes
/// of it, [dev.halftone.nn.Linear] the one place where a weight meets an input: fake quantization and adapters are
/// stages of these two, put there from outside, which is why no layer knows about them.
///
/// Generating runs one row at a time, in plain arrays instead of tensors: [dev.halftone.nn.RowStage].
///
/// Tensor variables carry their shape as a suffix: B batch, S positions of the queries, T positions of the keys, D
/// model width (inside attention: features of a head), H query heads, G key and value heads, K input features, N
/// output features or rows, V vocabulary.
@NullMarked
package dev.halftone.nn;

import org.jspecify.annotations.NullMarked;
