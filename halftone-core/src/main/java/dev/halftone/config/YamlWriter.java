package dev.halftone.config;

import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// Writes a tree as YAML: a key a line, lists of plain values in brackets.
public final class YamlWriter {
    /// Texts that need no quotes; what could be read as something else gets them.
    private static final Pattern PLAIN = Pattern.compile("[\\p{L}_./$~][^:#\\[\\]{},&*!|>'\"%@`\\n]*(?<!\\s)");

    private static final Pattern REFERENCE = Pattern.compile("[\\w./-]*(\\$\\{[\\w.]+}[\\w./-]*)+");

    private static final String INDENT = "    ";

    private YamlWriter() {}

    /// The text, with a line feed at its end.
    public static String write(Node.Mapping tree) {
        StringBuilder out = new StringBuilder();
        mapping(out, tree, "");
        return out.toString();
    }

    private static void mapping(StringBuilder out, Node.Mapping mapping, String indent) {
        for (Map.Entry<String, Node.Entry> e : mapping.entries().entrySet()) {
            out.append(indent).append(text(e.getKey())).append(':');
            value(out, e.getValue().value(), indent);
        }
    }

    private static void value(StringBuilder out, Node value, String indent) {
        switch (value) {
            case Node.Mapping m
            when !m.entries().isEmpty() -> {
                out.append('\n');
                mapping(out, m, indent + INDENT);
            }
            case Node.Sequence s
            when !s.items().stream().allMatch(Node.Scalar.class::isInstance) -> {
                out.append('\n');
                for (Node item : s.items()) {
                    out.append(indent).append("- ").append(flow(item)).append('\n');
                }
            }
            // Outside brackets a reference is plain YAML, and clearer so.
            case Node.Scalar s
            when REFERENCE.matcher(s.text()).matches() ->
                out.append(' ').append(s.text()).append('\n');
            default -> out.append(' ').append(flow(value)).append('\n');
        }
    }

    private static String flow(Node node) {
        return switch (node) {
            case Node.Scalar s -> scalar(s);
            case Node.Sequence s ->
                "[" + String.join(", ", s.items().stream().map(YamlWriter::flow).toList()) + "]";
            case Node.Mapping m -> {
                List<String> pairs = m.entries().entrySet().stream()
                        .map(e -> text(e.getKey()) + ": " + flow(e.getValue().value()))
                        .toList();
                yield "{" + String.join(", ", pairs) + "}";
            }
        };
    }

    private static String scalar(Node.Scalar s) {
        return switch (s.value()) {
            case null -> "null";
            case String text -> text(text);
            default -> s.text();
        };
    }

    private static String text(String text) {
        boolean plain = PLAIN.matcher(text).matches()
                && Yaml.value(Where.override(text), text) instanceof Node.Scalar s
                && text.equals(s.value());
        if (plain) {
            return text;
        }
        if (!text.contains("'") && text.chars().noneMatch(Character::isISOControl)) {
            return "'" + text + "'";
        }
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"', '\\' -> out.append('\\').append(c);
                case '\n' -> out.append("\\n");
                case '\t' -> out.append("\\t");
                default -> {
                    if (Character.isISOControl(c)) {
                        out.append("\\x%02x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        return out.append('"').toString();
    }
}
