package dev.halftone.conformance;

import java.util.Map;
import java.util.Optional;

/// The golden cases of some schemes.
interface CaseFamily {
    /// Computes all roles of a case from its inputs; empty if its scheme is not one of this family's.
    Optional<Map<String, Computed>> compute(GoldenCase c);
}
