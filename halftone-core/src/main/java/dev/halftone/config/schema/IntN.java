package dev.halftone.config.schema;

import dev.halftone.InputException;

/// A signed integer type of few bits, as torchao names it: `int4`, also `torch.int4`.
///
/// @param bits 1 to 8
public record IntN(int bits) {
    /// @throws InputException if it is none of int1 to int8
    public static IntN parse(String name) {
        String s = name.startsWith("torch.") ? name.substring("torch.".length()) : name;
        if (!s.matches("int[1-8]")) {
            throw new InputException("'%s' is no integer type for weights. Use int2 to int8.".formatted(name));
        }
        return new IntN(s.charAt(3) - '0');
    }

    @Override
    public String toString() {
        return "int" + bits;
    }
}
