package dev.halftone.config;

import dev.halftone.InputException;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Makes a record from a block: each key goes to the component of its name, every other key is an error.
///
/// In this order, so that torchtune's longer blocks can share a block's keys: the record's own keys are taken out
/// of the block from wherever they may stand, then the keys that are known to mean nothing ([Foreign]), and what is
/// left is unknown.
final class Binder {
    private final List<Ignored> ignored = new ArrayList<>();

    /// In the order of their lines.
    List<Ignored> ignored() {
        return ignored.stream()
                .sorted(Comparator.comparingInt(i -> i.where().line()))
                .toList();
    }

    /// @param prefix the block's path with a dot behind it, or empty
    <R extends Record> R record(Schema<R> schema, Node.Mapping block, String prefix) {
        Node.Mapping rest = schema.names().isEmpty() ? block : block.without(Node.COMPONENT);
        Node.@Nullable Entry[] given = new Node.Entry[schema.fields().size()];
        // Keys that may stand in another key's block (`dataset.max_seq_len`) leave it before that block is taken.
        for (boolean within : new boolean[] {true, false}) {
            for (int i = 0; i < given.length; i++) {
                Schema.Field field = schema.fields().get(i);
                if (field.places().stream().anyMatch(p -> p.contains(".")) == within) {
                    given[i] = chosen(field, rest, prefix);
                    rest = without(field, rest);
                }
            }
        }
        for (Foreign foreign : schema.foreign()) {
            rest = withoutForeign(foreign, rest, prefix);
        }
        refuseUnknown(schema, rest, prefix, "");

        Object[] values = new Object[schema.fields().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = fieldValue(schema, i, values, given[i], block.where(), prefix);
        }
        return construct(schema, values, block, prefix);
    }

    private static Node.Mapping without(Schema.Field field, Node.Mapping block) {
        Node.Mapping rest = block;
        for (String place : field.places()) {
            if (!isGroup(field, place, rest.at(place))) {
                rest = rest.without(place);
            }
        }
        return rest;
    }

    /// What a key is set to. Where it stands in two places they must agree, but the command line beats the file.
    private static Node.@Nullable Entry chosen(Schema.Field field, Node.Mapping block, String prefix) {
        Node.Entry chosen = null;
        String chosenPlace = "";
        for (String place : field.places()) {
            Node.Entry entry = block.at(place);
            if (entry == null || entry.value().isNull() || isGroup(field, place, entry)) {
                continue;
            }
            if (chosen == null || (isOverride(entry) && !isOverride(chosen))) {
                chosen = entry;
                chosenPlace = place;
            } else if (!entry.value().equals(chosen.value()) && isOverride(entry) == isOverride(chosen)) {
                throw new InputException("%s: %s says the same as %s (%s) and differs from it. Keep one of them."
                        .formatted(entry.where(), prefix + place, prefix + chosenPlace, chosen.where()));
            }
        }
        return chosen;
    }

    /// Whether a block only holds another place of the same key: `user: {text: …}` for `user`.
    private static boolean isGroup(Schema.Field field, String place, Node.@Nullable Entry entry) {
        return entry != null
                && entry.value() instanceof Node.Mapping
                && field.places().stream().anyMatch(p -> p.startsWith(place + "."));
    }

    private static boolean isOverride(Node.Entry entry) {
        return entry.value().where().isOverride();
    }

    private Node.Mapping withoutForeign(Foreign foreign, Node.Mapping block, String prefix) {
        Node.Mapping rest = block;
        for (String path : foreign.value()) {
            int dot = path.lastIndexOf('.') + 1;
            Node.Entry parent = dot == 0 ? new Node.Entry(rest.where(), rest) : rest.at(path.substring(0, dot - 1));
            if (parent == null || !(parent.value() instanceof Node.Mapping keys)) {
                continue;
            }
            for (Map.Entry<String, Node.Entry> e : keys.entries().entrySet()) {
                if (Schema.glob(path.substring(dot)).test(e.getKey())) {
                    String key = path.substring(0, dot) + e.getKey();
                    ignore(foreign, prefix + key, e.getValue());
                    rest = rest.without(key);
                }
            }
        }
        return rest;
    }

    private void ignore(Foreign foreign, String key, Node.Entry entry) {
        if (entry.value().isNull()) {
            return;
        }
        String text = switch (entry.value()) {
            case Node.Scalar s when key.endsWith(Node.COMPONENT) -> Schema.lastPart(s.text());
            case Node.Scalar s -> String.valueOf(s.value());
            case Node.Sequence _, Node.Mapping _ -> "…";
        };
        for (String harmless : foreign.harmless()) {
            if (Schema.glob(harmless).test(text)) {
                ignored.add(new Ignored(key, entry.where(), foreign.why()));
                return;
            }
        }
        throw cannotBeHonoured(foreign, entry.where(), key, text);
    }

    static InputException cannotBeHonoured(Foreign foreign, Where where, String key, String value) {
        String mend = foreign.harmless().length == 0
                ? "Remove it."
                : "Set it to %s or remove it.".formatted(String.join(" or ", foreign.harmless()));
        return new InputException(
                "%s: %s: '%s' cannot be honoured: %s. %s".formatted(where, key, value, foreign.why(), mend));
    }

    private static void refuseUnknown(Schema<?> schema, Node.Mapping rest, String prefix, String parent) {
        for (Map.Entry<String, Node.Entry> e : rest.entries().entrySet()) {
            String key = e.getKey();
            String path = parent.isEmpty() ? key : parent + "." + key;
            // A block that only groups keys of this record (`checkpointer`): the unknown key is within it.
            boolean groups =
                    schema.fields().stream().anyMatch(f -> f.places().stream().anyMatch(p -> p.startsWith(path + ".")));
            if (groups && e.getValue().value() instanceof Node.Mapping inner) {
                refuseUnknown(schema, inner, prefix, path);
                continue;
            }
            if (groups && e.getValue().value().isNull()) {
                continue;
            }
            throw new InputException("%s: %s: there is no such key.%s"
                    .formatted(e.getValue().where(), prefix + path, Nearest.hint(key, schema.namesBelow(parent))));
        }
    }

    private @Nullable Object fieldValue(
            Schema<?> schema,
            int index,
            @Nullable Object[] before,
            Node.@Nullable Entry given,
            Where block,
            String prefix) {
        Schema.Field field = schema.fields().get(index);
        String path = prefix + field.name();
        if (given != null) {
            return new Converter(this, path).convert(given.value(), field.type());
        }
        if (field.required()) {
            throw new InputException("%s: %s is missing: %s. Add it there, or set %s=… on the command line."
                    .formatted(block, path, field.doc(), path));
        }
        if (field.otherwise().startsWith("${")) {
            String sibling = field.otherwise().substring(2, field.otherwise().length() - 1);
            for (int i = 0; i < index; i++) {
                if (schema.fields().get(i).name().equals(sibling)) {
                    return before[i];
                }
            }
        }
        Node value = Yaml.value(new Where("default of " + path, 0), field.otherwise());
        return value.isNull() ? null : new Converter(this, path).convert(value, field.type());
    }

    private static <R extends Record> R construct(
            Schema<R> schema, @Nullable Object[] values, Node.Mapping block, String prefix) {
        try {
            return schema.make(Arrays.asList(values));
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof InputException refused) {
                throw located(refused, schema, block, prefix);
            }
            throw new IllegalStateException(schema.type() + " failed", e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(schema.type() + " cannot be made", e);
        }
    }

    /// A record's own check says `key: what is wrong`: this adds where that key stands.
    static InputException located(InputException refused, Schema<?> schema, Node.Mapping block, String prefix) {
        String message = Objects.requireNonNull(refused.getMessage());
        String key = message.substring(0, Math.max(0, message.indexOf(':')));
        for (Schema.Field field : schema.fields()) {
            if (field.name().equals(key)) {
                Node.Entry entry = chosen(field, block, prefix);
                Where where = entry == null
                        ? block.where()
                        : isOverride(entry) ? entry.value().where() : entry.where();
                return new InputException("%s: %s%s".formatted(where, prefix, message), refused);
            }
        }
        return new InputException("%s: %s".formatted(block.where(), message), refused);
    }
}
