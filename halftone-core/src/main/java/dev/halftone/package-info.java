/// The vocabulary that every package shares: element types and the two kinds of failure.
///
/// Start at [dev.halftone.quant] for the numerics, [dev.halftone.config] for the YAML dialect,
/// [dev.halftone.format] for files, [dev.halftone.data] for what a model is trained on.
@NullMarked
package dev.halftone;

import org.jspecify.annotations.NullMarked;
