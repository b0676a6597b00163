/// Models and runs on disk.
///
/// - [dev.halftone.checkpoint.Checkpoints] loads a model folder, float or quantized, and saves a float one.
/// - [dev.halftone.checkpoint.QuantizedFolders] saves a converted model as compressed-tensors' layout has it.
/// - [dev.halftone.checkpoint.StepCheckpoints] the states that an interrupted run goes on from.
@NullMarked
package dev.halftone.checkpoint;

import org.jspecify.annotations.NullMarked;
