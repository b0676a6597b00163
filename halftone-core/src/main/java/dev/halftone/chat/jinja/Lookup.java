package dev.halftone.chat.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// `x.name`, `x[key]` and `x[start:stop:step]`.
///
/// A dot asks for a method first and a key second, brackets the other way round. What is not there is
/// [Undefined]. Methods that would change a value are refused, as in jinja2's immutable sandbox.
final class Lookup {
    private static final Set<String> DICT_CHANGES = Set.of("clear", "pop", "popitem", "setdefault", "update");
    private static final Set<String> LIST_CHANGES =
            Set.of("append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort");

    private Lookup() {}

    static Object attribute(Object target, String name) {
        Object found = own(target, name);
        if (found != null) {
            return found;
        }
        Object value = target instanceof Map<?, ?> map ? map.get(name) : null;
        return value == null ? Undefined.attribute(target, name) : value;
    }

    static Object item(Object target, Object key) {
        Object value = switch (target) {
            case Undefined undefined -> throw undefined.use();
            case Map<?, ?> map -> map.get(key);
            case List<?> list -> Values.isWhole(key) ? at(list, Values.whole(key)) : null;
            case String s -> Values.isWhole(key) ? at(Values.items(s), Values.whole(key)) : null;
            default -> null;
        };
        if (value == null && key instanceof String name) {
            value = own(target, name);
        }
        return value == null ? Undefined.element(target, key) : value;
    }

    private static @Nullable Object at(List<?> list, long index) {
        long i = index < 0 ? index + list.size() : index;
        return i < 0 || i >= list.size() ? null : list.get((int) i);
    }

    /// Methods and attributes of the type, not keys.
    private static @Nullable Object own(Object target, String name) {
        return switch (target) {
            case Undefined undefined -> throw undefined.use();
            case Namespace namespace -> namespace.attributes().get(name);
            case Loop loop -> loop.attribute(name);
            case String s -> StringMethods.method(s, name);
            case Map<?, ?> map -> dictMethod(map, name);
            case List<?> list -> listMethod(list, name);
            default -> null;
        };
    }

    private static @Nullable Callable dictMethod(Map<?, ?> map, String name) {
        if (DICT_CHANGES.contains(name)) {
            return refuse(name, "dict");
        }
        return switch (name) {
            case "get" ->
                args -> {
                    Object value = map.get(args.get(0, "key"));
                    return value == null ? args.get(1, "default", None.NONE) : value;
                };
            case "items" -> args -> pairs(map);
            case "keys" -> args -> new ArrayList<Object>(map.keySet());
            case "values" -> args -> new ArrayList<Object>(map.values());
            case "copy" -> args -> map;
            default -> null;
        };
    }

    /// Keys and values as a list of pairs.
    static List<Object> pairs(Map<?, ?> map) {
        List<Object> pairs = new ArrayList<>();
        map.forEach((key, value) -> pairs.add(Tuple.of(key, value)));
        return pairs;
    }

    private static @Nullable Callable listMethod(List<?> list, String name) {
        if (!(list instanceof Tuple) && LIST_CHANGES.contains(name)) {
            return refuse(name, "list");
        }
        return switch (name) {
            case "count" ->
                args -> list.stream()
                        .filter(item -> Values.equal(item, args.get(0, "value")))
                        .count();
            case "index" ->
                args -> {
                    for (int i = 0; i < list.size(); i++) {
                        if (Values.equal(list.get(i), args.get(0, "value"))) {
                            return (long) i;
                        }
                    }
                    throw new TemplateException(Values.repr(args.get(0, "value")) + " is not in list");
                };
            case "copy" -> list instanceof Tuple ? null : args -> list;
            default -> null;
        };
    }

    private static Callable refuse(String method, String type) {
        return args -> {
            throw new TemplateException("access to attribute '%s' of '%s' object is unsafe: templates change nothing"
                    .formatted(method, type));
        };
    }

    static Object slice(Object target, Object start, Object stop, Object step) {
        List<Object> items = switch (target) {
            case String s -> Values.items(s);
            case List<?> list -> new ArrayList<>(list);
            case Undefined undefined -> throw undefined.use();
            default -> throw new TemplateException("'" + Values.typeName(target) + "' object cannot be sliced");
        };
        List<Object> taken = slice(items, start, stop, step);
        if (target instanceof String) {
            StringBuilder text = new StringBuilder();
            taken.forEach(text::append);
            return text.toString();
        }
        return target instanceof Tuple ? new Tuple(taken) : taken;
    }

    private static List<Object> slice(List<Object> items, Object startValue, Object stopValue, Object stepValue) {
        long step = stepValue == None.NONE ? 1 : Values.whole(stepValue);
        if (step == 0) {
            throw new TemplateException("slice step cannot be zero");
        }
        long low = step > 0 ? 0 : -1;
        long high = step > 0 ? items.size() : items.size() - 1;
        long start = startValue == None.NONE ? (step > 0 ? low : high) : bounded(startValue, items.size(), low, high);
        long stop = stopValue == None.NONE ? (step > 0 ? high : low) : bounded(stopValue, items.size(), low, high);
        List<Object> taken = new ArrayList<>();
        for (long i = start; step > 0 ? i < stop : i > stop; i += step) {
            taken.add(items.get((int) i));
        }
        return taken;
    }

    private static long bounded(Object value, int size, long low, long high) {
        long index = Values.whole(value);
        return Math.clamp(index < 0 ? index + size : index, low, high);
    }
}
