package dev.halftone.format.gguf;

import dev.halftone.InputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A GGUF file's metadata, by key and type.
///
/// @param file for messages
/// @param values in the file's order
public record GgufMetadata(Path file, Map<String, GgufValue> values) {
    public boolean has(String key) {
        return values.containsKey(key);
    }

    /// @throws InputException if the key is there with a value that is not text
    public Optional<String> text(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> switch (v) {
            case GgufValue.Text t -> t.value();
            default -> throw wrongType(key, v, "text");
        });
    }

    /// @throws InputException if the key is there with a value that is not a whole number from 0 to 2^63
    public Optional<Long> whole(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> switch (v) {
            case GgufValue.Whole w when w.value() >= 0 -> w.value();
            default -> throw wrongType(key, v, "a whole number");
        });
    }

    /// @throws InputException if the key is there with a value that is not a number
    public Optional<Double> real(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> switch (v) {
            // The shortest decimal that is this float32: 1e-5 and not 9.999999747378752e-6.
            case GgufValue.Real r
            when r.type() == GgufValue.Type.FLOAT32 -> Double.parseDouble(Float.toString((float) r.value()));
            case GgufValue.Real r -> r.value();
            default -> throw wrongType(key, v, "a number");
        });
    }

    /// @throws InputException if the key is there with a value that is not true or false
    public Optional<Boolean> bool(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> switch (v) {
            case GgufValue.Bool b -> b.value();
            default -> throw wrongType(key, v, "true or false");
        });
    }

    /// @throws InputException if the key is there with a value that is not a list of texts
    public Optional<List<String>> texts(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> switch (v) {
            case GgufValue.Array a
            when a.elementType() == GgufValue.Type.STRING ->
                a.values().stream().map(GgufValue::toString).toList();
            default -> throw wrongType(key, v, "a list of texts");
        });
    }

    /// @throws InputException if the key is there with a value that is not a list of numbers
    public Optional<double[]> reals(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> {
            if (!(v instanceof GgufValue.Array a)) {
                throw wrongType(key, v, "a list of numbers");
            }
            return a.values().stream()
                    .mapToDouble(e -> switch (e) {
                        case GgufValue.Real r -> r.value();
                        default -> throw wrongType(key, v, "a list of numbers");
                    })
                    .toArray();
        });
    }

    /// @throws InputException if the key is there with a value that is not a list of whole numbers
    public Optional<long[]> wholes(String key) {
        return Optional.ofNullable(values.get(key)).map(v -> {
            if (!(v instanceof GgufValue.Array a)) {
                throw wrongType(key, v, "a list of whole numbers");
            }
            return a.values().stream()
                    .mapToLong(e -> switch (e) {
                        case GgufValue.Whole w -> w.value();
                        default -> throw wrongType(key, v, "a list of whole numbers");
                    })
                    .toArray();
        });
    }

    /// The exception for a key that a file needs and does not have.
    public InputException missing(String key) {
        return new InputException(
                "%s has no '%s'. Convert the model again with a current llama.cpp.".formatted(file, key));
    }

    private InputException wrongType(String key, GgufValue value, String wanted) {
        return new InputException(
                "%s: '%s' is of type %s where %s is wanted. Convert the model again with a current llama.cpp."
                        .formatted(file, key, value.type(), wanted));
    }
}
