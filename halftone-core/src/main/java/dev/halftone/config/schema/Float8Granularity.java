package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.quant.Granularity;
import java.util.Arrays;
import java.util.Locale;

/// What shares a float8 scale, by torchao's names.
public enum Float8Granularity {
    /// A row: an output channel of a weight, a token of an activation.
    ROW,
    /// All of it.
    TENSOR;

    /// Reads `row` or torchao's `PerRow()`, `tensor` or `PerTensor()`.
    ///
    /// @throws InputException if it is neither
    public static Float8Granularity parse(String text) {
        String name =
                text.replaceFirst("^(torchao\\.quantization\\.)?(?i:per_?)", "").replace("()", "");
        return Arrays.stream(values())
                .filter(g -> g.name().equals(name.toUpperCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "granularity: float8 scales are not shared by a '%s'. Use `row` or `tensor`.".formatted(text)));
    }

    Granularity blocks() {
        return switch (this) {
            case ROW -> new Granularity.PerAxis();
            case TENSOR -> new Granularity.PerTensor();
        };
    }
}
