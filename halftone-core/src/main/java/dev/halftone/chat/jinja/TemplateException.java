package dev.halftone.chat.jinja;

import org.jspecify.annotations.Nullable;

/// What jinja2 or Python would raise. The innermost place that is known stays with it until [Template] tells the
/// user.
final class TemplateException extends RuntimeException {
    private final @Nullable At at;

    TemplateException(String message) {
        this(message, null);
    }

    TemplateException(String message, @Nullable At at) {
        super(message, null, false, false);
        this.at = at;
    }

    @Nullable
    At at() {
        return at;
    }

    /// The same error with a place, unless it has one.
    TemplateException orAt(At place) {
        return at == null ? new TemplateException(String.valueOf(getMessage()), place) : this;
    }
}
