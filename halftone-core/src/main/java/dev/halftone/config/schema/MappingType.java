package dev.halftone.config.schema;

import dev.halftone.InputException;
import java.util.Arrays;
import java.util.Locale;

/// Where codes lie about zero, as torchao names it: `SYMMETRIC`, also `MappingType.SYMMETRIC`.
public enum MappingType {
    /// Zero is code 0.
    SYMMETRIC,
    /// A zero point places the range of the values.
    ASYMMETRIC;

    /// @throws InputException if it is neither
    public static MappingType parse(String name) {
        String last = name.substring(name.lastIndexOf('.') + 1).toUpperCase(Locale.ROOT);
        return Arrays.stream(values())
                .filter(type -> type.name().equals(last))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "'%s' is no mapping of values to codes. Use symmetric or asymmetric.".formatted(name)));
    }
}
