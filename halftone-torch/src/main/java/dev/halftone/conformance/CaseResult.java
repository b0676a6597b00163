package dev.halftone.conformance;

/// How one golden case went.
///
/// @param detail what was compared, or by how much it differs, or what is not supported
/// @param maxError the largest absolute error of the outputs (of a model: its logits); 0 for an unsupported case
public record CaseResult(String name, Status status, String detail, double maxError) {
    /// The outcome of a case.
    public enum Status {
        /// Everything within the tolerance.
        PASSED,
        /// Something is off.
        DIFFERS,
        /// Halftone has no such model or scheme yet.
        UNSUPPORTED
    }
}
