package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Key;
import org.jspecify.annotations.Nullable;

/// What a model is to continue or to answer. A plain text instead of the block is a `text`.
public record PromptConfig(
        @Key(value = "a text to continue as it stands, without a chat template", otherwise = "null") @Nullable
        String text,

        @Key(value = "the system's message", otherwise = "null", also = "system.text") @Nullable
        String system,

        @Key(value = "the user's message", otherwise = "null", also = "user.text") @Nullable
        String user) {
    public PromptConfig {
        if ((text == null) == (user == null)) {
            throw new InputException(
                    "user: a prompt is either a text to continue or a user's message to answer. Set one of text and user.");
        }
        if (text != null && system != null) {
            throw new InputException(
                    "system: a text to continue has no system message. Set prompt.user instead of prompt.text.");
        }
    }

    /// The prompt that a plain text stands for.
    public static PromptConfig parse(String text) {
        return new PromptConfig(text, null, null);
    }
}
