/// Golden cases, computed by the libraries that Halftone follows, run through Halftone on this machine.
///
/// [dev.halftone.conformance.Conformance] runs a folder: quantization cases
/// ([dev.halftone.conformance.QuantCases]) or tiny models ([dev.halftone.conformance.ModelCases]). A
/// [dev.halftone.conformance.ConformanceReport] is what comes out.
@NullMarked
package dev.halftone.conformance;

import org.jspecify.annotations.NullMarked;
