package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// jinja2's filters of one value; those that walk over a sequence are in [SequenceFilters].
final class Filters {
    private static final Pattern WORD_STARTS = Pattern.compile("(?<=[-\\s({\\[<])(?![-\\s({\\[<])");
    private static final Pattern WORD = Pattern.compile("[\\p{L}\\p{N}_]+");

    private Filters() {}

    /// Applies a filter.
    ///
    /// @throws TemplateException if there is none of that name, or it refuses the value
    static Object apply(String name, Object value, Args args) {
        return switch (name) {
            case "abs" -> {
                Object number = Operators.sign(false, value);
                yield Values.compare(number, 0L, "<") < 0 ? Operators.sign(true, number) : number;
            }
            case "attr" -> attr(value, args.string(0, "name"));
            case "capitalize" -> Text.capitalized(Values.string(value));
            case "count", "length" -> Values.length(value);
            case "d", "default" -> {
                boolean replace =
                        value instanceof Undefined || (args.flag(1, "boolean", false) && !Values.truthy(value));
                yield replace ? args.get(0, "default_value", "") : value;
            }
            case "e", "escape" -> escape(Values.string(value));
            case "first" -> {
                Iterator<Object> items = value instanceof Generator generator
                        ? generator.items()
                        : Values.items(value).iterator();
                yield items.hasNext() ? items.next() : new Undefined("No first item, sequence was empty.");
            }
            case "float" -> toFloat(value, args.get(0, "default", 0.0));
            case "format" ->
                PercentFormat.format(
                        Values.string(value), args.named().isEmpty() ? new Tuple(args.positional()) : args.named());
            case "indent" -> {
                if (value instanceof String text) {
                    yield indent(text, args);
                }
                throw new TemplateException("indent takes text, not " + Values.typeName(value));
            }
            case "int" -> toInt(value, args.get(0, "default", 0L), args.get(1, "base", 10L));
            case "items" -> {
                if (value instanceof Undefined) {
                    yield new Generator(List.of());
                }
                if (value instanceof Map<?, ?> map) {
                    yield new Generator(Lookup.pairs(map));
                }
                throw new TemplateException("Can only get item pairs from a mapping.");
            }
            case "last" -> {
                List<Object> items = Values.items(value);
                yield items.isEmpty() ? new Undefined("No last item, sequence was empty.") : items.getLast();
            }
            case "list" -> Values.items(value);
            case "lower" -> StringMethods.lower(Values.string(value));
            case "replace" -> {
                Object count = args.get(2, "count", None.NONE);
                yield StringMethods.replace(
                        Values.string(value),
                        args.string(0, "old"),
                        args.string(1, "new"),
                        count == None.NONE ? -1 : Values.whole(count));
            }
            case "reverse" ->
                value instanceof String s
                        ? new StringBuilder(s).reverse().toString()
                        : new Generator(Values.items(value).reversed());
            case "round" -> round(value, args);
            case "safe", "string" -> Values.string(value);
            case "title" -> title(Values.string(value));
            case "tojson" -> JsonText.write(value, args);
            case "trim" -> {
                Object characters = args.get(0, "chars", None.NONE);
                yield StringMethods.strip(
                        Values.string(value), characters == None.NONE ? null : Values.string(characters), true, true);
            }
            case "upper" -> StringMethods.upper(Values.string(value));
            case "wordcount" -> WORD.matcher(Values.string(value)).results().count();
            default -> SequenceFilters.apply(name, value, args);
        };
    }

    /// `x|attr('name')` knows attributes and no keys.
    private static Object attr(Object value, String name) {
        return value instanceof Map<?, ?> map && map.containsKey(name)
                ? Undefined.attribute(value, name)
                : Lookup.attribute(value, name);
    }

    private static String escape(String s) {
        return s.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;");
    }

    private static Object toFloat(Object value, Object fallback) {
        try {
            return switch (value) {
                case String s ->
                    Double.parseDouble(StringMethods.strip(s, null, true, true).replace("_", ""));
                case Undefined undefined -> throw undefined.use();
                default -> Values.isNumber(value) ? (Object) Values.real(value) : fallback;
            };
        } catch (NumberFormatException e) {
            return fallback;
        }
    }

    private static Object toInt(Object value, Object fallback, Object base) {
        try {
            return switch (value) {
                case String s -> {
                    String digits = StringMethods.strip(s, null, true, true).replace("_", "");
                    try {
                        yield Long.parseLong(digits, (int) Values.whole(base));
                    } catch (NumberFormatException e) {
                        yield truncated(Double.parseDouble(digits), fallback);
                    }
                }
                case Undefined undefined -> throw undefined.use();
                default ->
                    Values.isWhole(value)
                            ? (Object) Values.whole(value)
                            : value instanceof Double d ? truncated(d, fallback) : fallback;
            };
        } catch (NumberFormatException e) {
            return fallback;
        }
    }

    private static Object truncated(double value, Object fallback) {
        return Double.isFinite(value) ? (Object) (long) value : fallback;
    }

    private static String indent(String s, Args args) {
        Object width = args.get(0, "width", 4L);
        String indent = width instanceof String text ? text : " ".repeat(Math.clamp(Values.whole(width), 0, 1000));
        boolean blank = args.flag(2, "blank", false);
        List<String> lines = StringMethods.lines(s + "\n", false);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            boolean indented = i == 0 ? args.flag(1, "first", false) : blank || !line.isEmpty();
            out.append(i == 0 ? "" : "\n").append(indented ? indent : "").append(line);
        }
        return out.toString();
    }

    private static Object round(Object value, Args args) {
        if (value instanceof Undefined undefined) {
            throw undefined.use();
        }
        if (!Values.isNumber(value)) {
            throw new TemplateException("type " + Values.typeName(value) + " doesn't define __round__ method");
        }
        int precision = Math.clamp(Values.whole(args.get(0, "precision", 0L)), -300, 300);
        RoundingMode mode = switch (Values.string(args.get(1, "method", "common"))) {
            case "common" -> RoundingMode.HALF_EVEN;
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default -> throw new TemplateException("method must be common, ceil or floor");
        };
        if (Values.isWhole(value) && mode == RoundingMode.HALF_EVEN) {
            return BigDecimal.valueOf(Values.whole(value))
                    .setScale(Math.min(0, precision), mode)
                    .longValue();
        }
        return new BigDecimal(Values.real(value)).setScale(precision, mode).doubleValue();
    }

    /// jinja2's own rule for words, not that of Python's `str.title`.
    private static String title(String s) {
        return WORD_STARTS.splitAsStream(s).map(Text::capitalized).collect(Collectors.joining());
    }
}
