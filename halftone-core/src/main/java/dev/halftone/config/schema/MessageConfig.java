package dev.halftone.config.schema;

import dev.halftone.config.Key;

/// One message of a conversation.
public record MessageConfig(
        @Key("system, user or assistant") String role,

        @Key("what is said") String content) {}
