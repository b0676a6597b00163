package dev.halftone.model;

import dev.halftone.InputException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Typed access to a model's `config.json`. A key that is absent or null has its default; one that is required and
/// absent, of the wrong type or out of range is an [InputException] that names file and key.
final class ConfigJson {
    /// No size of any model comes near: larger ones would overflow in products.
    private static final int LARGEST_SIZE = 1 << 28;

    private final String file;
    private final String path;
    private final JsonNode node;

    /// @param file what messages call it
    ConfigJson(String file, JsonNode node) {
        this(file, "", node);
    }

    private ConfigJson(String file, String path, JsonNode node) {
        this.file = file;
        this.path = path;
        this.node = node;
    }

    boolean has(String key) {
        return value(key) != null;
    }

    /// Whether the key is there without a value.
    boolean isNull(String key) {
        return node.path(key).isNull();
    }

    /// A required size, at least 1.
    int size(String key) {
        return size(key, required(key));
    }

    /// A size, at least 1.
    int size(String key, int fallback) {
        JsonNode v = value(key);
        return v == null ? fallback : size(key, v);
    }

    /// A number of things, at least 0.
    int count(String key, int fallback) {
        JsonNode v = value(key);
        return v == null ? fallback : whole(key, v, 0);
    }

    private int size(String key, JsonNode v) {
        return whole(key, v, 1);
    }

    private int whole(String key, JsonNode v, int least) {
        boolean whole = v.isIntegralNumber() && v.canConvertToInt();
        if (!whole || v.intValue() < least || v.intValue() > LARGEST_SIZE) {
            throw mistyped(key, v, "a whole number from %d to %d".formatted(least, LARGEST_SIZE));
        }
        return v.intValue();
    }

    /// A required positive number.
    double number(String key) {
        return number(key, required(key));
    }

    /// A positive number.
    double number(String key, double fallback) {
        JsonNode v = value(key);
        return v == null ? fallback : number(key, v);
    }

    private double number(String key, JsonNode v) {
        if (!v.isNumber() || !(v.doubleValue() > 0) || Double.isInfinite(v.doubleValue())) {
            throw mistyped(key, v, "a positive number");
        }
        return v.doubleValue();
    }

    boolean flag(String key, boolean fallback) {
        JsonNode v = value(key);
        if (v != null && !v.isBoolean()) {
            throw mistyped(key, v, "true or false");
        }
        return v == null ? fallback : v.booleanValue();
    }

    String text(String key, String fallback) {
        JsonNode v = value(key);
        if (v != null && !v.isString()) {
            throw mistyped(key, v, "a string");
        }
        return v == null ? fallback : v.stringValue();
    }

    /// A list of `length` of these words; empty where there is none.
    List<String> texts(String key, int length, List<String> words) {
        List<JsonNode> values = list(key, length);
        if (!values.stream().allMatch(v -> v.isString() && words.contains(v.stringValue()))) {
            throw unsupported(key, String.join(", ", words));
        }
        return values.stream().map(JsonNode::stringValue).toList();
    }

    /// A list of `length` numbers of at least 0; empty where there is none.
    List<Integer> counts(String key, int length) {
        return list(key, length).stream().map(v -> whole(key, v, 0)).toList();
    }

    private List<JsonNode> list(String key, int length) {
        JsonNode v = value(key);
        if (v == null) {
            return List.of();
        }
        if (!v.isArray() || v.size() != length) {
            throw mistyped(key, v, "a list of %d values, one for each layer".formatted(length));
        }
        return List.copyOf(v.values());
    }

    /// The object under `key`; null where there is none.
    @Nullable
    ConfigJson object(String key) {
        JsonNode v = value(key);
        if (v != null && !v.isObject()) {
            throw mistyped(key, v, "an object");
        }
        return v == null ? null : new ConfigJson(file, path + key + ".", v);
    }

    /// The value of `key` is none that Halftone can build.
    ///
    /// @param supported what it can
    InputException unsupported(String key, String supported) {
        return wrong("%s%s: %s is not supported. Supported: %s.".formatted(path, key, node.path(key), supported));
    }

    /// @param sentences what is wrong with the file, and how to mend it
    InputException wrong(String sentences) {
        return new InputException(file + ": " + sentences);
    }

    private JsonNode required(String key) {
        JsonNode v = value(key);
        if (v == null) {
            throw wrong("key '%s%s' is missing. Take the config.json that the weights came with.".formatted(path, key));
        }
        return v;
    }

    private @Nullable JsonNode value(String key) {
        JsonNode v = node.get(key);
        return v == null || v.isNull() ? null : v;
    }

    private InputException mistyped(String key, JsonNode v, String wanted) {
        return wrong("key '%s%s' is %s, but must be %s. Take the config.json that the weights came with."
                .formatted(path, key, v, wanted));
    }
}
