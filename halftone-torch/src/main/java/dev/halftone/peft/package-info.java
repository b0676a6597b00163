/// Low-rank adapters (LoRA, DoRA): what is trained in place of a weight, or beside it.
///
/// Begin with [dev.halftone.peft.Adapters], which puts a [dev.halftone.peft.Lora] on each layer. Shapes: N outputs,
/// K inputs, R rank.
@NullMarked
package dev.halftone.peft;

import org.jspecify.annotations.NullMarked;
