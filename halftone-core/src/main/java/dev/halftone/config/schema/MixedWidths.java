package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Key;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/// Whether the widths of weights are searched for layer by layer.
public record MixedWidths(
        @Key(
                value =
                        "`auto` gives each layer a width of its own, int2 to int8, by how much the loss minds its error; null gives all weight_dtype",
                otherwise = "null")
        @Nullable
        MixedBits mixedBits,

        @Key(
                value = "what those widths average, over all weights of the layers; null takes that of weight_dtype",
                otherwise = "null")
        @Nullable
        Double averageBits) {
    /// All layers have one width.
    public static final MixedWidths NONE = new MixedWidths(null, null);

    public MixedWidths {
        if (mixedBits == null && averageBits != null) {
            throw new InputException(
                    "average_bits: the layers have one width, that of weight_dtype. Set mixed_bits=auto, or remove this key.");
        }
        Check.atLeast("average_bits", averageBits, 2);
        Check.atMost("average_bits", averageBits == null ? 2 : averageBits, 8);
    }

    /// What the widths that are searched for average; empty where none are.
    ///
    /// @param weightDtype whose width they average where nothing else is said
    OptionalDouble averageBits(IntN weightDtype) {
        if (mixedBits == null) {
            return OptionalDouble.empty();
        }
        return OptionalDouble.of(averageBits == null ? weightDtype.bits() : averageBits);
    }
}
