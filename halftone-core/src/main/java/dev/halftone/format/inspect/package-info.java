/// What is in a model folder, a safetensors file or a GGUF file: start at [dev.halftone.format.inspect.Inspection].
@NullMarked
package dev.halftone.format.inspect;

import org.jspecify.annotations.NullMarked;
