package dev.halftone.config;

import java.lang.reflect.AnnotatedType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// What a record says about its keys: the reflective half of the binder.
///
/// @param names under which `_component_` chooses it; none for a record that is no component
/// @param doc what the component is; empty for a record that is none
record Schema<R extends Record>(
        Class<R> type, List<String> names, String doc, List<Field> fields, List<Foreign> foreign) {

    /// One key.
    ///
    /// @param places where it may stand: its name, then the others
    /// @param otherwise its default as YAML, or [Key#REQUIRED]
    record Field(String name, List<String> places, String doc, String otherwise, AnnotatedType type) {
        boolean required() {
            return otherwise.equals(Key.REQUIRED);
        }
    }

    static <R extends Record> Schema<R> of(Class<R> type) {
        List<Field> fields = Arrays.stream(type.getRecordComponents())
                .flatMap(Schema::fields)
                .toList();
        List<Foreign> foreign = new ArrayList<>(List.of(type.getAnnotationsByType(Foreign.class)));
        for (Class<?> shared : kinds(type)) {
            foreign.addAll(List.of(shared.getAnnotationsByType(Foreign.class)));
        }
        Component component = type.getAnnotation(Component.class);
        return new Schema<>(
                type,
                component == null ? List.of() : List.of(component.value()),
                component == null ? "" : component.doc(),
                fields,
                foreign);
    }

    /// The interfaces that a type implements, and those that they extend.
    private static List<Class<?>> kinds(Class<?> type) {
        List<Class<?>> kinds = new ArrayList<>();
        for (Class<?> kind : type.getInterfaces()) {
            kinds.add(kind);
            kinds.addAll(kinds(kind));
        }
        return kinds;
    }

    /// The records of a sealed interface, in the order of its `permits`; those of a sealed interface among them
    /// stand in its place.
    static List<Schema<?>> variants(Class<?> sealed) {
        List<Schema<?>> variants = new ArrayList<>();
        for (Class<?> type : Objects.requireNonNull(sealed.getPermittedSubclasses())) {
            if (type.isInterface()) {
                variants.addAll(variants(type));
            } else {
                variants.add(of(type.asSubclass(Record.class)));
            }
        }
        return variants;
    }

    /// Whether a type is a record of keys, not one that stands for a single word.
    static boolean isBlock(Class<?> type) {
        return type.isAnnotationPresent(Component.class)
                || (type.isRecord()
                        && Arrays.stream(type.getRecordComponents())
                                .anyMatch(c -> c.isAnnotationPresent(Key.class) || isInline(c)));
    }

    /// Whether a component's keys stand in the block around it.
    static boolean isInline(RecordComponent component) {
        return component.isAnnotationPresent(Inline.class);
    }

    private static Stream<Field> fields(RecordComponent component) {
        return isInline(component)
                ? of(component.getType().asSubclass(Record.class)).fields().stream()
                : Stream.of(field(component));
    }

    private static Field field(RecordComponent component) {
        Key key = Objects.requireNonNull(component.getAnnotation(Key.class), () -> component + " lacks @Key");
        String name = snakeCase(component.getName());
        List<String> places = new ArrayList<>(List.of(name));
        places.addAll(List.of(key.also()));
        return new Field(name, places, key.value(), key.otherwise(), component.getAnnotatedType());
    }

    static String snakeCase(String name) {
        return name.replaceAll("(?<!^)(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
    }

    /// Makes the record.
    ///
    /// @param values of [#fields], in their order
    /// @throws InvocationTargetException around what its constructor, or that of a record inlined in it, throws
    R make(List<@Nullable Object> values) throws ReflectiveOperationException {
        return make(type, values.iterator());
    }

    private static <T extends Record> T make(Class<T> type, Iterator<@Nullable Object> values)
            throws ReflectiveOperationException {
        RecordComponent[] components = type.getRecordComponents();
        Class<?>[] types = new Class<?>[components.length];
        @Nullable Object[] arguments = new Object[components.length];
        for (int i = 0; i < components.length; i++) {
            types[i] = components[i].getType();
            arguments[i] = isInline(components[i]) ? make(types[i].asSubclass(Record.class), values) : values.next();
        }
        return type.getDeclaredConstructor(types).newInstance(arguments);
    }

    /// The names that may stand in the block at `parent` (empty for the record's own), for suggestions.
    Set<String> namesBelow(String parent) {
        String prefix = parent.isEmpty() ? "" : parent + ".";
        Set<String> below = new LinkedHashSet<>();
        for (Field field : fields) {
            for (String place : field.places()) {
                if (place.startsWith(prefix)) {
                    below.add(place.substring(prefix.length()).split("\\.", 2)[0]);
                }
            }
        }
        if (!names.isEmpty() && parent.isEmpty()) {
            below.add(Node.COMPONENT);
        }
        return below;
    }

    /// Whether the pattern, in which `*` stands for any characters, fits the whole text.
    static Predicate<String> glob(String pattern) {
        String regex = Arrays.stream(pattern.split("\\*", -1))
                .map(java.util.regex.Pattern::quote)
                .reduce((a, b) -> a + ".*" + b)
                .orElseThrow();
        return text -> text.matches("(?s)" + regex);
    }

    /// The last part of a dotted path: what chooses a component.
    static String lastPart(String path) {
        return path.substring(path.lastIndexOf('.') + 1);
    }

    static @Nullable Schema<?> named(String name, List<Schema<?>> variants) {
        return variants.stream()
                .filter(v -> v.names().contains(lastPart(name)))
                .findFirst()
                .orElse(null);
    }
}
