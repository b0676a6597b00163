package dev.halftone.config;

import dev.halftone.InputException;
import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Makes the Java value of one key.
///
/// Beside the plain types a key may have a type of its own: a record or enum whose static `parse(String)` reads it
/// from a word, a record that takes a block, or a sealed interface of which `_component_` chooses a record.
///
/// @param path the key, for messages
record Converter(Binder binder, String path) {

    Object convert(Node node, AnnotatedType annotated) {
        Type type = annotated.getType();
        if (type instanceof ParameterizedType generic) {
            AnnotatedType[] arguments = ((AnnotatedParameterizedType) annotated).getAnnotatedActualTypeArguments();
            return generic.getRawType() == List.class
                    ? list(node, arguments[0])
                    : map(node, Objects.requireNonNull(arguments[1]));
        }
        Class<?> raw = (Class<?>) type;
        if (raw.isSealed() && parser(raw) == null) {
            return component(node, raw);
        }
        if (Schema.isBlock(raw) && node instanceof Node.Mapping block) {
            return binder.record(Schema.of(raw.asSubclass(Record.class)), block, path + ".");
        }
        if (Schema.isBlock(raw) && parser(raw) == null) {
            throw wrong(node, "a block of keys");
        }
        if (node instanceof Node.Scalar scalar) {
            return scalar(scalar, raw);
        }
        throw wrong(node, expected(raw));
    }

    private Object scalar(Node.Scalar scalar, Class<?> type) {
        Object value = scalar.value();
        if (type == boolean.class || type == Boolean.class) {
            if (value instanceof Boolean) {
                return value;
            }
        } else if (type == int.class || type == Integer.class) {
            if (value instanceof Long n && n == n.intValue()) {
                return n.intValue();
            }
        } else if (type == long.class || type == Long.class) {
            if (value instanceof Long) {
                return value;
            }
        } else if (type == double.class || type == Double.class) {
            if (value instanceof Number n) {
                return n.doubleValue();
            }
        } else if (value != null) {
            return text(scalar, type);
        }
        throw wrong(scalar, expected(type));
    }

    private Object text(Node.Scalar scalar, Class<?> type) {
        if (type == String.class) {
            return scalar.text();
        }
        if (type == Path.class) {
            return path(scalar);
        }
        Method parser = parser(type);
        if (parser != null) {
            return parsed(scalar, parser);
        }
        List<String> names = constants(type);
        int index = names.indexOf(scalar.text().toLowerCase(Locale.ROOT));
        if (index < 0) {
            throw new InputException("%s: %s: '%s' is not one of %s.%s"
                    .formatted(
                            scalar.where(),
                            path,
                            scalar.text(),
                            String.join(", ", names),
                            Nearest.to(scalar.text(), names)
                                    .map(n -> " Did you mean '" + n + "'?")
                                    .orElse(" Use one of them.")));
        }
        return Objects.requireNonNull(type.getEnumConstants())[index];
    }

    private Path path(Node.Scalar scalar) {
        try {
            if (!scalar.text().isEmpty()) {
                return Path.of(scalar.text());
            }
        } catch (InvalidPathException _) {
            // Said below.
        }
        throw wrong(scalar, expected(Path.class));
    }

    private Object parsed(Node.Scalar scalar, Method parser) {
        try {
            return parser.invoke(null, scalar.text());
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof InputException refused) {
                String message = Objects.requireNonNull(refused.getMessage());
                String said = message.startsWith(Schema.lastPart(path) + ": ")
                        ? message.substring(Schema.lastPart(path).length() + 2)
                        : message;
                throw new InputException("%s: %s: %s".formatted(scalar.where(), path, said), refused);
            }
            throw new IllegalStateException(parser + " failed", e.getCause());
        } catch (IllegalAccessException e) {
            throw new IllegalStateException(parser + " is not public", e);
        }
    }

    private List<Object> list(Node node, AnnotatedType element) {
        if (node instanceof Node.Sequence sequence) {
            List<Object> items = new ArrayList<>();
            for (int i = 0; i < sequence.items().size(); i++) {
                items.add(new Converter(binder, path + "." + i)
                        .convert(sequence.items().get(i), element));
            }
            return List.copyOf(items);
        }
        // One item needs no brackets, as in Hugging Face's data_files.
        return List.of(convert(node, element));
    }

    private Map<String, Object> map(Node node, AnnotatedType element) {
        if (!(node instanceof Node.Mapping mapping)) {
            throw wrong(node, "a block of keys");
        }
        Map<String, Object> values = new LinkedHashMap<>();
        mapping.entries()
                .forEach((key, entry) ->
                        values.put(key, new Converter(binder, path + "." + key).convert(entry.value(), element)));
        return java.util.Collections.unmodifiableMap(values);
    }

    private Object component(Node node, Class<?> sealed) {
        Node.Mapping block = switch (node) {
            case Node.Mapping m -> m;
            // A component without arguments needs no block: `optimizer: AdamW`.
            case Node.Scalar s -> new Node.Mapping(s.where(), Map.of(Node.COMPONENT, new Node.Entry(s.where(), s)));
            case Node.Sequence s -> throw wrong(s, "one component");
        };
        List<Schema<?>> variants = Schema.variants(sealed);
        List<String> names = variants.stream().flatMap(v -> v.names().stream()).toList();
        Node.Entry named = block.entries().get(Node.COMPONENT);
        if (named == null || !(named.value() instanceof Node.Scalar name) || name.value() == null) {
            throw new InputException("%s: %s has no %s. Name one of: %s."
                    .formatted(block.where(), path, Node.COMPONENT, String.join(", ", names)));
        }
        Schema<?> schema = Schema.named(name.text(), variants);
        if (schema == null) {
            refuseKnown(sealed, name);
            throw new InputException("%s: %s: there is no component '%s' here.%s"
                    .formatted(name.where(), path, name.text(), Nearest.hint(Schema.lastPart(name.text()), names)));
        }
        return binder.record(schema, block, path + ".");
    }

    private void refuseKnown(Class<?> sealed, Node.Scalar name) {
        for (Foreign foreign : sealed.getAnnotationsByType(Foreign.class)) {
            if (List.of(foreign.value()).contains(Schema.lastPart(name.text()))) {
                throw Binder.cannotBeHonoured(foreign, name.where(), path, name.text());
            }
        }
    }

    /// A type's own way to read a word.
    static @Nullable Method parser(Class<?> type) {
        try {
            return type.getMethod("parse", String.class);
        } catch (NoSuchMethodException _) {
            return null;
        }
    }

    /// The words that an enum's constants are written as.
    static List<String> constants(Class<?> type) {
        return Arrays.stream(Objects.requireNonNull(type.getEnumConstants(), type::toString))
                .map(c -> ((Enum<?>) c).name().toLowerCase(Locale.ROOT))
                .toList();
    }

    private static String expected(Class<?> type) {
        return switch (type.getSimpleName()) {
            case "boolean", "Boolean" -> "true or false";
            case "int", "Integer", "long", "Long" -> "a whole number";
            case "double", "Double" -> "a number";
            case "Path" -> "a path";
            default ->
                type.isEnum() && parser(type) == null ? "one of " + String.join(", ", constants(type)) : "a text";
        };
    }

    private InputException wrong(Node node, String expected) {
        String got = switch (node) {
            case Node.Scalar s -> "'" + s.text() + "'";
            case Node.Sequence _ -> "a list";
            case Node.Mapping _ -> "a block of keys";
        };
        return new InputException(
                "%s: %s must be %s, not %s. Change it there.".formatted(node.where(), path, expected, got));
    }
}
