package dev.halftone;

import static org.junit.jupiter.api.Assumptions.abort;

/// Tests that cannot run here.
final class Skip {
    private Skip() {}

    /// Skips the test, and says so where a build is read: Surefire keeps the reason to its report.
    static <T> T because(String reason) {
        System.err.println("Skipped: " + reason);
        return abort(reason);
    }
}
