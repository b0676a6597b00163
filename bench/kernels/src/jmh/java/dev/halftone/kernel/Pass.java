package dev.halftone.kernel;

/// What of a differentiable function is timed.
public enum Pass {
    FORWARD,
    /// Forward and backward, as in a training step.
    BOTH
}
