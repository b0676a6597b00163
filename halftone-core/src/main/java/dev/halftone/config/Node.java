package dev.halftone.config;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A configuration as a tree in which every part knows where it was written. Immutable.
///
/// Two nodes are equal when they say the same, wherever they stand.
public sealed interface Node {
    /// The key that names which component a mapping configures.
    String COMPONENT = "_component_";

    Where where();

    /// A leaf.
    ///
    /// @param value null, Boolean, Long, Double or String
    /// @param text as it was written, without quotes
    record Scalar(Where where, @Nullable Object value, String text) implements Node {
        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Scalar s && Objects.equals(value, s.value);
        }

        @Override
        public int hashCode() {
            return Objects.hashCode(value);
        }
    }

    record Sequence(Where where, List<Node> items) implements Node {
        public Sequence {
            items = List.copyOf(items);
        }

        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Sequence s && items.equals(s.items);
        }

        @Override
        public int hashCode() {
            return items.hashCode();
        }
    }

    /// A key of a mapping. The key's own place differs from its value's where the value starts on the next line.
    record Entry(Where where, Node value) {
        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Entry e && value.equals(e.value);
        }

        @Override
        public int hashCode() {
            return value.hashCode();
        }
    }

    /// @param entries in the order of the file
    record Mapping(Where where, Map<String, Entry> entries) implements Node {
        public Mapping {
            entries = Collections.unmodifiableMap(new LinkedHashMap<>(entries));
        }

        @Override
        public boolean equals(@Nullable Object o) {
            return o instanceof Mapping m && entries.equals(m.entries);
        }

        @Override
        public int hashCode() {
            return entries.hashCode();
        }

        /// What stands at `a.b.c`, or null. A number chooses from a list: `a.0`.
        public @Nullable Entry at(String path) {
            Entry entry = new Entry(where, this);
            for (String part : path.split("\\.", -1)) {
                Entry next = switch (entry.value()) {
                    case Mapping m -> m.entries.get(part);
                    case Sequence s -> element(s, part);
                    case Scalar _ -> null;
                };
                if (next == null) {
                    return null;
                }
                entry = next;
            }
            return entry;
        }

        private static @Nullable Entry element(Sequence s, String index) {
            int i = index.matches("\\d{1,6}") ? Integer.parseInt(index) : s.items.size();
            return i < s.items.size() ? new Entry(s.items.get(i).where(), s.items.get(i)) : null;
        }

        /// This mapping with one key set, in its place if it was there and else at the end.
        public Mapping with(String key, Entry entry) {
            Map<String, Entry> changed = new LinkedHashMap<>(entries);
            changed.put(key, entry);
            return new Mapping(where, changed);
        }

        /// This mapping without what stands at `a.b.c`; blocks that this leaves empty go too.
        public Mapping without(String path) {
            int dot = path.indexOf('.');
            Map<String, Entry> changed = new LinkedHashMap<>(entries);
            if (dot < 0) {
                changed.remove(path);
            } else {
                String head = path.substring(0, dot);
                Entry entry = entries.get(head);
                if (entry != null && entry.value() instanceof Mapping inner) {
                    Mapping rest = inner.without(path.substring(dot + 1));
                    if (rest.entries.isEmpty()) {
                        changed.remove(head);
                    } else {
                        changed.put(head, new Entry(entry.where(), rest));
                    }
                }
            }
            return new Mapping(where, changed);
        }

        /// The keys in alphabetical order, at every level.
        public Mapping sorted() {
            Map<String, Entry> changed = new LinkedHashMap<>();
            List<String> keys = new ArrayList<>(entries.keySet());
            Collections.sort(keys);
            for (String key : keys) {
                Entry e = Objects.requireNonNull(entries.get(key));
                changed.put(key, e.value() instanceof Mapping m ? new Entry(e.where(), m.sorted()) : e);
            }
            return new Mapping(where, changed);
        }
    }

    default boolean isNull() {
        return this instanceof Scalar s && s.value() == null;
    }
}
