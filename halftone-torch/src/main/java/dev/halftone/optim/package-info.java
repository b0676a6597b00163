/// What changes parameters: the optimizer, gradient clipping and learning rate schedules.
///
/// Start at [dev.halftone.optim.AdamW], which is torch's, number for number, and can also round bfloat16 weights
/// stochastically, so that small updates arrive.
@NullMarked
package dev.halftone.optim;

import org.jspecify.annotations.NullMarked;
