package dev.halftone.config.schema;

/// How layers get widths of their own.
public enum MixedBits {
    /// By a search.
    AUTO
}
