package dev.halftone.data;

import dev.halftone.InputException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// One sample as a file has it.
///
/// @param fields a JSON object
/// @param line where it starts, from 1; 0 for a file that is one sample
record Row(JsonNode fields, Path file, long line) {
    /// A column that must be text.
    ///
    /// @throws InputException naming file and line, if it is absent or something else
    String text(String column) {
        String text = textOrNull(column);
        if (text == null) {
            throw missing(column);
        }
        return text;
    }

    /// A column that may be absent or null.
    @Nullable
    String textOrNull(String column) {
        JsonNode value = fields.path(column);
        if (value.isMissingNode() || value.isNull()) {
            return null;
        }
        if (!value.isString()) {
            throw error("the column '" + column + "' is not text", "Write a string.");
        }
        return value.asString();
    }

    /// A column that must be a list.
    JsonNode list(String column) {
        JsonNode value = fields.path(column);
        if (value.isMissingNode()) {
            throw missing(column);
        }
        if (!value.isArray()) {
            throw error("the column '" + column + "' is not a list", "Write a JSON array.");
        }
        return value;
    }

    private InputException missing(String column) {
        String columns = String.join(", ", fields.propertyNames());
        return error(
                "there is no column '" + column + "' (there are: " + columns + ")",
                "Name the right one in the dataset's configuration.");
    }

    InputException error(String what, String mend) {
        return new InputException(where() + ": " + what + ". " + mend);
    }

    String where() {
        return line == 0 ? file.toString() : file + ", line " + line;
    }
}
