package dev.halftone.config;

/// A key that was accepted and has no effect.
///
/// @param key its full path
/// @param why a clause in lower case
public record Ignored(String key, Where where, String why) {}
