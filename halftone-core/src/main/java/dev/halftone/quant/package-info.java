/// Quantization schemes as data, and the scalar oracle that specifies their arithmetic.
@NullMarked
package dev.halftone.quant;

import org.jspecify.annotations.NullMarked;
