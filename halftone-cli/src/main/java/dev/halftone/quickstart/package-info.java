/// The whole story in one run, on a small model: what quantization costs, and what training for it wins back.
@NullMarked
package dev.halftone.quickstart;

import org.jspecify.annotations.NullMarked;
