/// Artifacts in the formats of other programs.
///
/// [dev.halftone.export.Exporter] is what a format has to do, [dev.halftone.format.ExportFormat] the table
/// of formats and of the schemes that each can hold. The recipe `export` certifies what they write.
@NullMarked
package dev.halftone.export;

import org.jspecify.annotations.NullMarked;
