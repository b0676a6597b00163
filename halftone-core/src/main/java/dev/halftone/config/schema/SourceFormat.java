package dev.halftone.config.schema;

/// What local data files hold.
public enum SourceFormat {
    /// One JSON value for the file (a list of rows), or one row a line.
    JSON,
    /// Plain text.
    TEXT
}
