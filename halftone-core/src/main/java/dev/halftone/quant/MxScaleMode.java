package dev.halftone.quant;

import dev.halftone.InputException;
import java.util.Arrays;
import java.util.Locale;

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
    RCEIL;

    /// Reads a name, in any case and also with `ScaleCalculationMode.` before it.
    ///
    /// @throws InputException if it is none
    public static MxScaleMode parse(String text) {
        String name = text.substring(text.lastIndexOf('.') + 1).toUpperCase(Locale.ROOT);
        return Arrays.stream(values())
                .filter(m -> m.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "scaling_mode: there is no '%s'. Use floor, ceil, even or rceil.".formatted(text)));
    }
}
