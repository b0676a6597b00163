package dev.halftone.quant;

/// How the power of two that a block shares follows from the block's largest magnitude: torchao's
/// `ScaleCalculationMode`. [MxOracle] has the formulas.
public enum MxScaleMode {
    /// The magnitude's own power of two becomes the format's largest: the rule of the OCP specification (section
    /// 6.3). Values beyond the largest number are clamped, by up to a quarter in MXFP4.
    FLOOR,
    /// One more, unless the magnitude is a power of two.
    CEIL,
    /// The power of two of the magnitude rounded to the format's mantissa.
    EVEN,
    /// The smallest that clamps nothing: what NVIDIA's Blackwell does, and torchao when it trains.
    RCEIL
}
