package dev.halftone.chat.jinja;

/// A piece of a template.
///
/// @param text the text itself; for a string literal its value, for a number its digits without underscores
record Token(Kind kind, String text, At at) {
    enum Kind {
        TEXT,
        BLOCK_BEGIN,
        BLOCK_END,
        VARIABLE_BEGIN,
        VARIABLE_END,
        NAME,
        STRING,
        INTEGER,
        FLOAT,
        OPERATOR,
        END
    }

    boolean is(Kind other, String otherText) {
        return kind == other && text.equals(otherText);
    }

    boolean isName(String name) {
        return is(Kind.NAME, name);
    }

    boolean isOperator(String operator) {
        return is(Kind.OPERATOR, operator);
    }

    /// As an error message names it.
    String describe() {
        return switch (kind) {
            case END -> "the end of the template";
            case BLOCK_END, VARIABLE_END -> "the end of the tag";
            case TEXT, BLOCK_BEGIN, VARIABLE_BEGIN, NAME, STRING, INTEGER, FLOAT, OPERATOR -> "'" + text + "'";
        };
    }
}
