package dev.halftone.chat.jinja;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Python's `format % values`, for the conversions s, r, c, d, i, u, x, X, o, e, f and %.
final class PercentFormat {
    private static final Pattern CONVERSION = Pattern.compile(
            "%(?:\\((?<key>[^)]*)\\))?(?<flags>[-+ 0#]*)(?<width>\\d{0,8})(?:\\.(?<precision>\\d{0,3}))?(?<type>.)");

    private PercentFormat() {}

    /// @param values a tuple of values, a dict for `%(key)s`, or one value
    static String format(String format, Object values) {
        StringBuilder out = new StringBuilder();
        Matcher matcher = CONVERSION.matcher(format);
        int end = 0;
        int next = 0;
        List<?> positional = values instanceof Tuple tuple ? tuple : List.of(values);
        while (matcher.find()) {
            out.append(format, end, matcher.start());
            end = matcher.end();
            char type = matcher.group("type").charAt(0);
            if (type == '%') {
                out.append('%');
                continue;
            }
            Object value;
            if (matcher.group("key") != null) {
                value = values instanceof Map<?, ?> map ? map.get(matcher.group("key")) : null;
                if (value == null) {
                    throw new TemplateException("the format has no value for '" + matcher.group("key") + "'");
                }
            } else if (next < positional.size()) {
                value = positional.get(next++);
            } else {
                throw new TemplateException("not enough arguments for format string");
            }
            out.append(padded(converted(type, value, matcher), matcher));
        }
        boolean mayBeLeft = values instanceof Map || values instanceof Undefined || isList(values);
        if (next < positional.size() && !mayBeLeft) {
            throw new TemplateException("not all arguments converted during string formatting");
        }
        return out.append(format, end, format.length()).toString();
    }

    private static boolean isList(Object values) {
        return values instanceof List && !(values instanceof Tuple);
    }

    private static String converted(char type, Object value, Matcher matcher) {
        String precision = matcher.group("precision");
        return switch (type) {
            case 's' -> cut(Values.string(value), precision);
            case 'r' -> cut(Values.repr(value), precision);
            case 'c' -> Values.isWhole(value) ? Character.toString((int) Values.whole(value)) : Values.string(value);
            case 'd', 'i', 'u' -> signed(Long.toString(whole(type, value)), matcher);
            case 'x' -> Long.toString(whole(type, value), 16);
            case 'X' -> Long.toString(whole(type, value), 16).toUpperCase(Locale.ROOT);
            case 'o' -> Long.toString(whole(type, value), 8);
            case 'e', 'f' -> {
                int digits = precision == null ? 6 : precision.isEmpty() ? 0 : Integer.parseInt(precision);
                yield signed(String.format(Locale.ROOT, "%." + digits + type, real(type, value)), matcher);
            }
            default -> throw new TemplateException("unsupported format character '" + type + "'");
        };
    }

    private static long whole(char type, Object value) {
        return Values.isWhole(value) ? Values.whole(value) : (long) real(type, value);
    }

    private static double real(char type, Object value) {
        if (!Values.isNumber(value)) {
            throw new TemplateException(
                    "%%%s format: a real number is required, not %s".formatted(type, Values.typeName(value)));
        }
        return Values.real(value);
    }

    private static String cut(String text, @Nullable String precision) {
        return precision == null || precision.isEmpty() || Text.length(text) <= Integer.parseInt(precision)
                ? text
                : text.substring(0, Text.index(text, Integer.parseInt(precision)));
    }

    private static String signed(String number, Matcher matcher) {
        String flags = matcher.group("flags");
        if (number.startsWith("-")) {
            return number;
        }
        return flags.contains("+") ? "+" + number : flags.contains(" ") ? " " + number : number;
    }

    private static String padded(String text, Matcher matcher) {
        int width = matcher.group("width").isEmpty() ? 0 : Integer.parseInt(matcher.group("width"));
        Operators.checkLength(width);
        int missing = width - Text.length(text);
        if (missing <= 0) {
            return text;
        }
        String flags = matcher.group("flags");
        if (flags.contains("-")) {
            return text + " ".repeat(missing);
        }
        if (flags.contains("0") && "diufe".contains(matcher.group("type"))) {
            int sign = text.startsWith("-") || text.startsWith("+") ? 1 : 0;
            return text.substring(0, sign) + "0".repeat(missing) + text.substring(sign);
        }
        return " ".repeat(missing) + text;
    }
}
