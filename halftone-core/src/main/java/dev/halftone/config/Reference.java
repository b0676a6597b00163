package dev.halftone.config;

import java.lang.reflect.AnnotatedParameterizedType;
import java.lang.reflect.AnnotatedType;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/// What the records say about their keys, for people: the tables of the reference, and the help of `halftone cat`.
public final class Reference {
    private Reference() {}

    /// A key as documentation.
    ///
    /// @param type in words: `whole number`, `list of paths`, `one of json, text`
    /// @param otherwise its default as YAML; empty if it is required
    /// @param also other places where it may stand
    public record KeyDoc(String name, String type, String otherwise, String doc, List<String> also) {}

    /// The keys of a record in its order.
    public static List<KeyDoc> keys(Class<? extends Record> type) {
        return Schema.of(type).fields().stream()
                .map(f -> new KeyDoc(
                        f.name(),
                        type(f.type()),
                        f.required() ? "" : f.otherwise(),
                        f.doc(),
                        f.places().subList(1, f.places().size())))
                .toList();
    }

    /// A Markdown section of a recipe: its keys, and the keys of torchtune that it accepts without effect.
    public static String recipe(String title, Class<? extends Record> type) {
        StringBuilder out = new StringBuilder("## ").append(title).append("\n\n");
        table(out, type);
        if (type.isAnnotationPresent(Foreign.class) || type.isAnnotationPresent(Foreign.All.class)) {
            out.append("\nAccepted from torchtune's files, without effect:\n\n").append(foreign(type));
        }
        return out.toString();
    }

    /// A Markdown table of the keys that a type accepts without effect.
    public static String foreign(Class<?> type) {
        StringBuilder out = new StringBuilder("| Key | Value | Why |\n|---|---|---|\n");
        for (Foreign f : type.getAnnotationsByType(Foreign.class)) {
            String values = f.harmless().length == 0 ? "none" : "`" + String.join("`, `", f.harmless()) + "`";
            out.append("| `%s` | %s | %s |\n"
                    .formatted(String.join("`, `", f.value()), values.equals("`*`") ? "any" : values, f.why()));
        }
        return out.toString();
    }

    /// A Markdown section of a kind of component: its variants and their keys.
    public static String components(String title, Class<?> sealed) {
        StringBuilder out = new StringBuilder("## ").append(title).append('\n');
        for (Schema<?> variant : Schema.variants(sealed)) {
            out.append("\n### `%s`\n\n".formatted(variant.names().getFirst()));
            List<String> others = variant.names().subList(1, variant.names().size());
            out.append(capitalized(variant.doc()))
                    .append(others.isEmpty() ? "" : ". Also named `" + String.join("`, `", others) + "`")
                    .append(".\n");
            if (!variant.fields().isEmpty()) {
                out.append('\n');
                table(out, variant.type());
            }
        }
        return out.toString();
    }

    /// The sealed interfaces among a record's keys: its kinds of components.
    public static SequencedSet<Class<?>> componentsOf(Class<? extends Record> type) {
        SequencedSet<Class<?>> kinds = new LinkedHashSet<>();
        for (Schema.Field field : Schema.of(type).fields()) {
            if (field.type().getType() instanceof Class<?> c && c.isSealed() && Converter.parser(c) == null) {
                kinds.add(c);
            }
        }
        return kinds;
    }

    private static void table(StringBuilder out, Class<? extends Record> type) {
        out.append("| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
        for (KeyDoc key : keys(type)) {
            List<String> also = new ArrayList<>(key.also());
            out.append("| `%s` | %s | %s | %s%s |\n"
                    .formatted(
                            key.name(),
                            key.type(),
                            key.otherwise().isEmpty() ? "required" : "`" + key.otherwise() + "`",
                            capitalized(key.doc()),
                            also.isEmpty() ? "" : ". Also `" + String.join("`, `", also) + "`"));
        }
    }

    private static String type(AnnotatedType annotated) {
        if (annotated instanceof AnnotatedParameterizedType generic) {
            AnnotatedType[] arguments = generic.getAnnotatedActualTypeArguments();
            return arguments.length == 1 ? "list of " + plural(type(arguments[0])) : "block of texts";
        }
        Class<?> type = (Class<?>) annotated.getType();
        if (type == boolean.class || type == Boolean.class) {
            return "true or false";
        }
        if (type == int.class || type == Integer.class || type == long.class || type == Long.class) {
            return "whole number";
        }
        if (type == double.class || type == Double.class) {
            return "number";
        }
        if (type == String.class) {
            return "text";
        }
        if (type == Path.class) {
            return "path";
        }
        if (Converter.parser(type) != null) {
            return Schema.isBlock(type) ? "text or block" : "word";
        }
        if (type.isSealed()) {
            return "component";
        }
        return type.isEnum() ? "one of " + String.join(", ", Converter.constants(type)) : "block";
    }

    private static String plural(String type) {
        return type.startsWith("one of ") ? type.substring("one of ".length()) : type + "s";
    }

    private static String capitalized(String clause) {
        return Character.toUpperCase(clause.charAt(0)) + clause.substring(1);
    }
}
