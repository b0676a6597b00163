package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// jinja2's filters that walk over the items of a value.
final class SequenceFilters {
    private SequenceFilters() {}

    static Object apply(String name, Object value, Args args) {
        return switch (name) {
            case "dictsort" -> dictsort(value, args);
            case "join" -> {
                Function<Object, Object> key = key(args.get(1, "attribute", None.NONE), false);
                yield Values.items(value).stream()
                        .map(item -> Values.string(key.apply(item)))
                        .collect(Collectors.joining(Values.string(args.get(0, "d", ""))));
            }
            case "map" -> new Generator(map(itemsIfAny(value), args));
            case "max", "min" -> {
                List<Object> items = Values.items(value);
                Function<Object, Object> key =
                        key(args.get(1, "attribute", None.NONE), !args.flag(0, "case_sensitive", false));
                Comparator<Object> order = (a, b) -> Values.compare(key.apply(a), key.apply(b), "<");
                // Of equal items Python takes the first, Java's max the last.
                Comparator<Object> wanted = name.equals("min") ? order : order.reversed();
                yield items.stream()
                        .reduce((a, b) -> wanted.compare(b, a) < 0 ? b : a)
                        .orElse(new Undefined("No aggregated item, sequence was empty."));
            }
            case "reject", "select" -> {
                Predicate<Object> test = test(args, item -> item);
                yield selected(itemsIfAny(value), name.equals("select") ? test : test.negate());
            }
            case "rejectattr", "selectattr" -> {
                Function<Object, Object> key = key(args.get(0, "attribute"), false);
                Predicate<Object> test = test(args.withoutFirst(), key);
                yield selected(itemsIfAny(value), name.equals("selectattr") ? test : test.negate());
            }
            case "sort" -> {
                List<Object> sorted = Values.items(value);
                Function<Object, Object> key =
                        key(args.get(2, "attribute", None.NONE), !args.flag(1, "case_sensitive", false));
                sort(sorted, key, args.flag(0, "reverse", false));
                yield sorted;
            }
            case "sum" -> {
                Function<Object, Object> key = key(args.get(0, "attribute", None.NONE), false);
                Object sum = args.get(1, "start", 0L);
                for (Object item : Values.items(value)) {
                    sum = Operators.binary("+", sum, key.apply(item));
                }
                yield sum;
            }
            case "unique" -> {
                Function<Object, Object> key =
                        key(args.get(1, "attribute", None.NONE), !args.flag(0, "case_sensitive", false));
                List<Object> seen = new ArrayList<>();
                yield selected(Values.items(value), item -> {
                    Object k = key.apply(item);
                    boolean fresh = seen.stream().noneMatch(other -> Values.equal(other, k));
                    if (fresh) {
                        seen.add(k);
                    }
                    return fresh;
                });
            }
            default -> throw new TemplateException("No filter named '" + name + "'.");
        };
    }

    /// Filters that give a generator take whatever is false for an empty list.
    private static List<Object> itemsIfAny(Object value) {
        return Values.truthy(value) ? Values.items(value) : List.of();
    }

    private static Generator selected(List<Object> items, Predicate<Object> test) {
        List<Object> selected = new ArrayList<>();
        for (Object item : items) {
            if (test.test(item)) {
                selected.add(item);
            }
        }
        return new Generator(selected);
    }

    /// The arguments name a test and what it is given; without any it asks for truth.
    private static Predicate<Object> test(Args args, Function<Object, Object> key) {
        if (args.size() == 0) {
            return item -> Values.truthy(key.apply(item));
        }
        String name = args.string(0, "name");
        Args rest = args.withoutFirst();
        return item -> Tests.holds(name, key.apply(item), rest);
    }

    private static List<Object> map(List<Object> items, Args args) {
        Function<Object, Object> function;
        if (args.size() == 0) {
            function = path(args.get(0, "attribute"), args.get(1, "default", None.NONE));
        } else {
            String filter = args.string(0, "name");
            Args rest = args.withoutFirst();
            function = item -> Filters.apply(filter, item, rest);
        }
        List<Object> mapped = new ArrayList<>(items.size());
        for (Object item : items) {
            mapped.add(function.apply(item));
        }
        return mapped;
    }

    private static Function<Object, Object> key(Object attribute, boolean ignoreCase) {
        Function<Object, Object> path = path(attribute, None.NONE);
        return ignoreCase ? path.andThen(SequenceFilters::withoutCase) : path;
    }

    /// Follows `a.b.0` from an item, or keeps the item if there is no attribute.
    ///
    /// @param fallback stands, unless it is none, for each step of the path that is not there
    private static Function<Object, Object> path(Object attribute, Object fallback) {
        if (attribute == None.NONE) {
            return item -> item;
        }
        List<Object> steps = new ArrayList<>();
        if (Values.isWhole(attribute)) {
            steps.add(attribute);
        } else {
            for (String part : Values.string(attribute).split("\\.", -1)) {
                boolean index = !part.isEmpty() && part.chars().allMatch(Character::isDigit);
                steps.add(index ? (Object) Long.parseLong(part) : part);
            }
        }
        return item -> {
            Object found = item;
            for (Object step : steps) {
                found = Lookup.item(found, step);
                if (found instanceof Undefined && fallback != None.NONE) {
                    found = fallback;
                }
            }
            return found;
        };
    }

    private static Object withoutCase(Object value) {
        return value instanceof String s ? StringMethods.lower(s) : value;
    }

    private static void sort(List<Object> items, Function<Object, Object> key, boolean reverse) {
        Comparator<Object> order = (a, b) -> Values.compare(key.apply(a), key.apply(b), "<");
        items.sort(reverse ? order.reversed() : order);
    }

    private static List<Object> dictsort(Object value, Args args) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException("'" + Values.typeName(value) + "' object has no attribute 'items'");
        }
        long place = Values.string(args.get(1, "by", "key")).equals("value") ? 1 : 0;
        List<Object> pairs = Lookup.pairs(map);
        sort(pairs, key(place, !args.flag(0, "case_sensitive", false)), args.flag(2, "reverse", false));
        return pairs;
    }
}
