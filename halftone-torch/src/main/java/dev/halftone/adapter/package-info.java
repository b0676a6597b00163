/// Low-rank adapters (LoRA, DoRA): what is trained in place of a weight, or beside it.
///
/// Begin with [dev.halftone.adapter.Adapters], which puts a [dev.halftone.adapter.Lora] on each layer. Shapes: N
/// outputs,
/// K inputs, R rank.
@NullMarked
package dev.halftone.adapter;

import org.jspecify.annotations.NullMarked;
