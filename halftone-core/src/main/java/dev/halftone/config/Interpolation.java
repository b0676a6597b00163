package dev.halftone.config;

import dev.halftone.InputException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Replaces `${a.b}` by what stands at `a.b`, counted from the top.
///
/// A value that is nothing but a reference takes over whatever is there, a list or a block too; within a text the
/// reference's text is inserted. `\${` is a plain `${`.
final class Interpolation {
    private static final Pattern REFERENCE = Pattern.compile("(\\\\)?\\$\\{([^{}]*)}");

    private final Node.Mapping root;
    /// The references being followed, outermost first: one that comes up again is a cycle.
    private final SequencedSet<String> open = new LinkedHashSet<>();

    private Interpolation(Node.Mapping root) {
        this.root = root;
    }

    /// @throws InputException if a reference leads nowhere, in a circle, or to a block in the middle of a text
    static Node.Mapping resolve(Node.Mapping root) {
        return new Interpolation(root).mapping(root);
    }

    private Node.Mapping mapping(Node.Mapping mapping) {
        Map<String, Node.Entry> entries = new LinkedHashMap<>();
        mapping.entries().forEach((key, e) -> entries.put(key, new Node.Entry(e.where(), node(e.value()))));
        return new Node.Mapping(mapping.where(), entries);
    }

    private Node node(Node node) {
        return switch (node) {
            case Node.Mapping m -> mapping(m);
            case Node.Sequence s ->
                new Node.Sequence(s.where(), s.items().stream().map(this::node).toList());
            case Node.Scalar s -> s.value() instanceof String text && text.contains("${") ? scalar(s, text) : s;
        };
    }

    private Node scalar(Node.Scalar scalar, String text) {
        Where where = scalar.where();
        Matcher m = REFERENCE.matcher(text);
        if (m.matches() && m.group(1) == null) {
            return moved(follow(where, m.group(2)), where);
        }
        m.reset();
        StringBuilder out = new StringBuilder();
        while (m.find()) {
            String inserted = m.group(1) != null ? m.group().substring(1) : insertion(where, m.group(2));
            m.appendReplacement(out, Matcher.quoteReplacement(inserted));
        }
        m.appendTail(out);
        return new Node.Scalar(where, out.toString(), out.toString());
    }

    private String insertion(Where where, String path) {
        if (follow(where, path) instanceof Node.Scalar s) {
            return s.text();
        }
        throw new InputException(
                "%s: ${%s} is a block or a list and cannot stand within a text. Refer to a single value."
                        .formatted(where, path));
    }

    private Node follow(Where where, String reference) {
        String path = reference.strip().replaceAll("\\[(\\d+)]", ".$1");
        if (path.contains(":") || path.startsWith(".")) {
            throw new InputException(
                    "%s: ${%s} is not supported. Refer to another key by its full path, such as ${output_dir}, or write the value."
                            .formatted(where, reference));
        }
        Node.Entry target = root.at(path);
        if (target == null) {
            throw new InputException("%s: ${%s} refers to a key that is not there.%s"
                    .formatted(where, path, Nearest.hint(path, root.entries().keySet())));
        }
        if (!open.add(path)) {
            List<String> circle = new ArrayList<>(open);
            circle.add(path);
            throw new InputException("%s: ${%s} refers to itself (%s). Write the value of one of them."
                    .formatted(where, path, String.join(" -> ", circle)));
        }
        Node found = node(target.value());
        open.remove(path);
        return found;
    }

    /// A reference's value as if it had been written where the reference stands.
    private static Node moved(Node node, Where where) {
        return switch (node) {
            case Node.Scalar s -> new Node.Scalar(where, s.value(), s.text());
            case Node.Sequence s -> new Node.Sequence(where, s.items());
            case Node.Mapping m -> new Node.Mapping(where, m.entries());
        };
    }
}
