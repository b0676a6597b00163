/// Reports that a person reads: one self-contained HTML file, with the plots as inline SVG and no script.
@NullMarked
package dev.halftone.report;

import org.jspecify.annotations.NullMarked;
