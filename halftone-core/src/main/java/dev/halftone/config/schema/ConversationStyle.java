package dev.halftone.config.schema;

/// How a message of a conversation is written in JSON.
public enum ConversationStyle {
    /// `{"role": "user", "content": "…"}`
    OPENAI,
    /// `{"from": "human", "value": "…"}`
    SHAREGPT
}
