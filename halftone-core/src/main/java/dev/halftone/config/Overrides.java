package dev.halftone.config;

import dev.halftone.InputException;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What the command line changes in a configuration, in the order given.
///
/// - `a.b=value` sets a key, and creates the blocks above it; the value is YAML (`x=[1, 2]`, `x=2e-5`, `x=null`), where
///   a block is written in braces: a sentence with a colon in it is a text.
/// - `dataset=alpaca_dataset` on a block with a `_component_` replaces that name and keeps the block's other keys.
/// - `a={b: 1}` on a plain block merges into it, as OmegaConf does.
/// - `~a.b` removes a key.
final class Overrides {
    private Overrides() {}

    static Node.Mapping apply(Node.Mapping root, List<String> arguments) {
        Node.Mapping tree = root;
        for (String argument : arguments) {
            tree = argument.startsWith("~") ? remove(tree, argument) : set(tree, argument);
        }
        return tree;
    }

    private static Node.Mapping remove(Node.Mapping root, String argument) {
        String path = argument.substring(1);
        if (root.at(path) == null) {
            throw new InputException("%s: there is no key '%s' to remove.%s"
                    .formatted(
                            Where.override(argument),
                            path,
                            Nearest.hint(path, root.entries().keySet())));
        }
        return root.without(path);
    }

    private static Node.Mapping set(Node.Mapping root, String argument) {
        int equals = argument.indexOf('=');
        Where where = Where.override(argument);
        if (equals < 1 || !argument.substring(0, equals).matches("[^.\\s]+(\\.[^.\\s]+)*")) {
            throw new InputException(
                    "'%s' is not an override. Write key=value (a.b=1) or ~key to remove one.".formatted(argument));
        }
        return set(
                root,
                argument.substring(0, equals),
                new Node.Entry(where, value(where, argument.substring(equals + 1))));
    }

    private static Node value(Where where, String text) {
        if (text.equals("None")) {
            return new Node.Scalar(where, null, text);
        }
        boolean plain = text.isBlank() || "{[\"'".indexOf(text.stripLeading().charAt(0)) < 0;
        return plain && text.contains(": ") ? new Node.Scalar(where, text, text) : Yaml.value(where, text);
    }

    private static Node.Mapping set(Node.Mapping tree, String path, Node.Entry entry) {
        int dot = path.indexOf('.');
        String head = dot < 0 ? path : path.substring(0, dot);
        Node.Entry old = tree.entries().get(head);
        if (dot < 0) {
            return tree.with(head, old == null ? entry : merge(old, entry));
        }
        Node.Mapping inner = block(old, entry.where(), head);
        Where where = old == null ? entry.where() : old.where();
        return tree.with(head, new Node.Entry(where, set(inner, path.substring(dot + 1), entry)));
    }

    /// The block under a key that is to get keys of its own.
    private static Node.Mapping block(Node.@Nullable Entry old, Where where, String key) {
        if (old == null || old.value().isNull()) {
            return new Node.Mapping(where, Map.of());
        }
        return switch (old.value()) {
            case Node.Mapping m -> m;
            // A component named without arguments, `optimizer: AdamW`, gets its first one.
            case Node.Scalar s
            when s.value() instanceof String ->
                new Node.Mapping(s.where(), Map.of(Node.COMPONENT, new Node.Entry(s.where(), s)));
            case Node.Scalar _ ->
                throw new InputException("%s: '%s' is a plain value and has no keys below it. Set it as %s=…"
                        .formatted(where, key, key));
            case Node.Sequence _ ->
                throw new InputException("%s: '%s' is a list. Set it as a whole: %s=[…]".formatted(where, key, key));
        };
    }

    private static Node.Entry merge(Node.Entry old, Node.Entry entry) {
        if (!(old.value() instanceof Node.Mapping into)) {
            return entry;
        }
        boolean component = into.entries().containsKey(Node.COMPONENT);
        return switch (entry.value()) {
            case Node.Scalar s
            when component && s.value() instanceof String ->
                new Node.Entry(old.where(), into.with(Node.COMPONENT, entry));
            case Node.Mapping m
            when !m.entries().containsKey(Node.COMPONENT) -> {
                Node.Mapping merged = into;
                for (Map.Entry<String, Node.Entry> e : m.entries().entrySet()) {
                    Node.Entry there = merged.entries().get(e.getKey());
                    merged = merged.with(e.getKey(), there == null ? e.getValue() : merge(there, e.getValue()));
                }
                yield new Node.Entry(old.where(), merged);
            }
            default -> entry;
        };
    }
}
