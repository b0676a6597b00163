package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Key;
import java.util.List;

/// The layers that a quantizer means.
public record LayerSelection(
        @Key(value = "globs over the names of linear layers: what is quantized", otherwise = "['*']")
        List<String> include,

        @Key(value = "globs over names: what of it stays in float; [] quantizes the head too", otherwise = "[lm_head]")
        List<String> exclude) {
    /// Every linear layer but the head.
    public static final LayerSelection ALL_BUT_HEAD = new LayerSelection(List.of("*"), List.of("lm_head"));

    public LayerSelection {
        if (include.isEmpty()) {
            throw new InputException(
                    "include: the list is empty, so nothing would be quantized. Use ['*'] for every layer.");
        }
    }
}
