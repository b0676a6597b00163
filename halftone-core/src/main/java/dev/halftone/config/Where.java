package dev.halftone.config;

/// Where a key or value was written, for error messages.
///
/// @param source a file name, or a whole override
/// @param line from 1; 0 for what has no line
public record Where(String source, int line) {
    /// The place of what the command line says.
    static Where override(String argument) {
        return new Where("override '" + argument + "'", 0);
    }

    boolean isOverride() {
        return line == 0;
    }

    @Override
    public String toString() {
        return isOverride() ? source : source + ":" + line;
    }
}
