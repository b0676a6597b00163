package dev.halftone.config;

import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Turns a bound configuration back into plain maps, for `run.json` and for comparing two runs: every key with its
/// value, defaults too.
public final class Plain {
    private Plain() {}

    /// The keys in the record's order. Values are null, booleans, numbers, texts, lists and such maps; binding them
    /// again gives an equal record.
    public static SequencedMap<String, @Nullable Object> of(Record value) {
        SequencedMap<String, @Nullable Object> map = new LinkedHashMap<>();
        Component named = value.getClass().getAnnotation(Component.class);
        if (named != null) {
            map.put(Node.COMPONENT, named.value()[0]);
        }
        for (RecordComponent c : value.getClass().getRecordComponents()) {
            try {
                Object component = c.getAccessor().invoke(value);
                if (Schema.isInline(c)) {
                    map.putAll(of((Record) Objects.requireNonNull(component)));
                } else {
                    map.put(Schema.snakeCase(c.getName()), plain(component));
                }
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(c + " cannot be read", e);
            }
        }
        return map;
    }

    private static @Nullable Object plain(@Nullable Object value) {
        return switch (value) {
            case null -> null;
            case Boolean b -> b;
            case Number n -> n;
            case List<?> list -> list.stream().map(Plain::plain).toList();
            case Map<?, ?> map -> {
                Map<String, @Nullable Object> plain = new LinkedHashMap<>();
                map.forEach((k, v) -> plain.put(String.valueOf(k), plain(v)));
                yield plain;
            }
            case Enum<?> e -> e.name().toLowerCase(Locale.ROOT);
            case Record r when Schema.isBlock(r.getClass()) -> of(r);
            // What is read from a word is written as one.
            default -> value.toString();
        };
    }
}
