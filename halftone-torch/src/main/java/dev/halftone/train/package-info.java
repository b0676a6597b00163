/// The parts of a training loop.
@NullMarked
package dev.halftone.train;

import org.jspecify.annotations.NullMarked;
