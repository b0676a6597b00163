/// The keys of every recipe, as records: their components are the keys, their annotations the documentation.
///
/// Start at [FinetuneConfig]. The records check what single keys cannot: a combination that cannot work is refused
/// when the record is made, before any weight is read. Their messages begin with the key that is wrong.
@NullMarked
package dev.halftone.config.schema;

import org.jspecify.annotations.NullMarked;
