package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/// Python's `json.dumps`, as the filter `tojson` calls it: no HTML escapes, and characters beyond ASCII stay as
/// they are unless `ensure_ascii` is given.
final class JsonText {
    private final String itemSeparator;
    private final String keySeparator;
    private final String indent;
    private final boolean pretty;
    private final boolean asciiOnly;
    private final boolean sortKeys;
    private final StringBuilder out = new StringBuilder();

    private JsonText(Args args) {
        asciiOnly = args.flag(0, "ensure_ascii", false);
        Object indentValue = args.get(1, "indent", None.NONE);
        pretty = indentValue != None.NONE;
        indent = switch (indentValue) {
            case String s -> s;
            case None ignored -> "";
            default -> " ".repeat(Math.clamp(Values.whole(indentValue), 0, 1000));
        };
        Object separators = args.get(2, "separators", None.NONE);
        List<Object> pair = separators == None.NONE ? List.of(pretty ? "," : ", ", ": ") : Values.items(separators);
        if (pair.size() != 2) {
            throw new TemplateException("tojson: separators must be a pair");
        }
        itemSeparator = Values.string(pair.get(0));
        keySeparator = Values.string(pair.get(1));
        sortKeys = args.flag(3, "sort_keys", false);
    }

    static String write(Object value, Args args) {
        JsonText json = new JsonText(args);
        json.value(value, 0);
        return json.out.toString();
    }

    private void value(Object value, int depth) {
        Operators.checkLength(out.length());
        switch (value) {
            case None ignored -> out.append("null");
            case Boolean b -> out.append(b);
            case Double d -> out.append(number(d));
            case Number n -> out.append(n);
            case String s -> string(s);
            case List<?> list -> {
                List<Runnable> items = new ArrayList<>();
                list.forEach(item -> items.add(() -> value(item, depth + 1)));
                container('[', items, ']', depth);
            }
            case Map<?, ?> map -> {
                List<Runnable> items = new ArrayList<>();
                entries(map)
                        .forEach(entry -> items.add(() -> {
                            string(key(entry.getKey()));
                            out.append(keySeparator);
                            value(entry.getValue(), depth + 1);
                        }));
                container('{', items, '}', depth);
            }
            default ->
                throw new TemplateException("Object of type " + Values.typeName(value) + " is not JSON serializable");
        }
    }

    private List<Map.Entry<Object, Object>> entries(Map<?, ?> map) {
        List<Map.Entry<Object, Object>> entries = new ArrayList<>();
        map.forEach((key, value) -> entries.add(Map.entry(key, value)));
        if (sortKeys) {
            entries.sort(Comparator.comparing(Map.Entry::getKey, (a, b) -> Values.compare(a, b, "<")));
        }
        return entries;
    }

    private void container(char open, List<Runnable> items, char close, int depth) {
        out.append(open);
        for (int i = 0; i < items.size(); i++) {
            out.append(i == 0 ? "" : itemSeparator);
            newLine(depth + 1);
            items.get(i).run();
        }
        if (!items.isEmpty()) {
            newLine(depth);
        }
        out.append(close);
    }

    private void newLine(int depth) {
        if (pretty) {
            out.append('\n').append(indent.repeat(depth));
        }
    }

    private static String number(double value) {
        return Double.isNaN(value)
                ? "NaN"
                : Double.isInfinite(value) ? (value > 0 ? "Infinity" : "-Infinity") : Values.floatRepr(value);
    }

    private static String key(Object key) {
        return switch (key) {
            case String s -> s;
            case None ignored -> "null";
            case Boolean b -> b.toString();
            case Double d -> number(d);
            case Number n -> n.toString();
            default ->
                throw new TemplateException("keys must be str, int, float, bool or None, not " + Values.typeName(key));
        };
    }

    private void string(String s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\f' -> out.append("\\f");
                case '\b' -> out.append("\\b");
                default -> {
                    if (c < 0x20 || (asciiOnly && c > 0x7E)) {
                        out.append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
