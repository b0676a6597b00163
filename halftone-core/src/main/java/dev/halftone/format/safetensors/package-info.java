/// The safetensors format: an 8-byte length, a JSON header of that length, and the tensors' bytes.
///
/// Start at [dev.halftone.format.safetensors.SafetensorsFile] to read and
/// [dev.halftone.format.safetensors.SafetensorsWriter] to write.
@NullMarked
package dev.halftone.format.safetensors;

import org.jspecify.annotations.NullMarked;
