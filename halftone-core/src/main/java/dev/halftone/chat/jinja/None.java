package dev.halftone.chat.jinja;

/// Python's `None`, so that Java's `null` never is a value.
enum None {
    NONE
}
