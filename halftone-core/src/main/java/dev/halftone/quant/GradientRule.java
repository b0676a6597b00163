package dev.halftone.quant;

/// What the straight-through estimator does with values that quantization clamps.
///
/// torch's clamp, and with it every torchao fake quantizer, changed its gradient at the bounds in torch 2.14. In
/// symmetric intN the largest weight of each group sits on a bound, so the rule decides whether it is trained at all.
public enum GradientRule {
    /// The gradient passes unchanged, clamped or not (torchao 0.10's activations, ModelOpt's default).
    IDENTITY,
    /// No gradient outside the range; bounds included in it (torch up to 2.13).
    CLOSED,
    /// No gradient outside the range nor on its bounds (torch from 2.14).
    OPEN
}
