package dev.halftone.chat.jinja;

/// A place in a template, counted from 1.
record At(int line, int column) {}
