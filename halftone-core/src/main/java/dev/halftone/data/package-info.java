/// What a model is trained on: files to samples, samples to batches.
///
/// Start at [Datasets#build], which reads what a configuration names, and [BatchLoader], which says what each
/// step of each epoch sees. Everything is read, tokenized and checked before training starts; nothing is fetched
/// from anywhere.
///
/// Labels are not shifted: `labels[i]` is `inputIds[i]` or [Sample#IGNORED], and position `i` of a row learns the
/// label at `i + 1`.
@NullMarked
package dev.halftone.data;

import org.jspecify.annotations.NullMarked;
