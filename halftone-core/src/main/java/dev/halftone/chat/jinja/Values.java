package dev.halftone.chat.jinja;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// What Python's built-in functions say about a value: `bool`, `str`, `repr`, `len`, `iter`, `==` and `<`.
final class Values {
    private Values() {}

    static String typeName(Object value) {
        return switch (value) {
            case None ignored -> "NoneType";
            case Undefined ignored -> "Undefined";
            case Boolean ignored -> "bool";
            case Double ignored -> "float";
            case Number ignored -> "int";
            case String ignored -> "str";
            case Tuple ignored -> "tuple";
            case List<?> ignored -> "list";
            case Map<?, ?> ignored -> "dict";
            case Generator ignored -> "generator";
            case Namespace ignored -> "Namespace";
            case Loop ignored -> "LoopContext";
            default -> "function";
        };
    }

    static boolean truthy(Object value) {
        return switch (value) {
            case None ignored -> false;
            case Undefined ignored -> false;
            case Boolean b -> b;
            case Double d -> d != 0;
            case Long l -> l != 0;
            case String s -> !s.isEmpty();
            case List<?> list -> !list.isEmpty();
            case Map<?, ?> map -> !map.isEmpty();
            default -> true;
        };
    }

    static String string(Object value) {
        return switch (value) {
            case String s -> s;
            case Undefined ignored -> "";
            default -> repr(value);
        };
    }

    static String repr(Object value) {
        return switch (value) {
            case None ignored -> "None";
            case Undefined ignored -> "Undefined";
            case Boolean b -> b ? "True" : "False";
            case Double d -> floatRepr(d);
            case Number n -> n.toString();
            case String s -> quoted(s);
            case Tuple tuple ->
                tuple.stream().map(Values::repr).collect(Collectors.joining(", ", "(", tuple.size() == 1 ? ",)" : ")"));
            case List<?> list -> list.stream().map(Values::repr).collect(Collectors.joining(", ", "[", "]"));
            case Map<?, ?> map ->
                map.entrySet().stream()
                        .map(e -> repr(e.getKey()) + ": " + repr(e.getValue()))
                        .collect(Collectors.joining(", ", "{", "}"));
            case Namespace namespace -> "<Namespace " + repr(namespace.attributes()) + ">";
            default -> "<" + typeName(value) + ">";
        };
    }

    /// Python's shortest digits, with an exponent from 1e16 and below 1e-4.
    static String floatRepr(double value) {
        if (Double.isNaN(value)) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0.0" : "0.0";
        }
        BigDecimal decimal = new BigDecimal(Double.toString(value)).stripTrailingZeros();
        int exponent = decimal.precision() - decimal.scale() - 1;
        if (exponent >= -4 && exponent < 16) {
            String plain = decimal.toPlainString();
            return plain.indexOf('.') < 0 ? plain + ".0" : plain;
        }
        String digits = decimal.unscaledValue().abs().toString();
        String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
        return "%s%se%s%02d".formatted(value < 0 ? "-" : "", mantissa, exponent < 0 ? "-" : "+", Math.abs(exponent));
    }

    private static String quoted(String s) {
        char quote = s.indexOf('\'') >= 0 && s.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder().append(quote);
        s.codePoints().forEach(c -> {
            switch (c) {
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(quote);
                    } else if (isPrintable(c)) {
                        out.appendCodePoint(c);
                    } else {
                        out.append((c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x").formatted(c));
                    }
                }
            }
        });
        return out.append(quote).toString();
    }

    private static boolean isPrintable(int c) {
        return switch (Character.getType(c)) {
            case Character.CONTROL,
                    Character.FORMAT,
                    Character.SURROGATE,
                    Character.PRIVATE_USE,
                    Character.UNASSIGNED,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> false;
            case Character.SPACE_SEPARATOR -> c == ' ';
            default -> true;
        };
    }

    static long length(Object value) {
        return switch (value) {
            case String s -> Text.length(s);
            case List<?> list -> list.size();
            case Map<?, ?> map -> map.size();
            case Undefined ignored -> 0;
            case Loop loop -> loop.length();
            default -> throw new TemplateException("object of type '" + typeName(value) + "' has no len()");
        };
    }

    /// The items of a value in order: the keys of a dict, the characters of a string.
    static List<Object> items(Object value) {
        return switch (value) {
            case List<?> list -> new ArrayList<>(list);
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case String s ->
                s.codePoints().mapToObj(Character::toString).collect(Collectors.toCollection(ArrayList::new));
            case Generator generator -> generator.drain();
            case Undefined ignored -> new ArrayList<>();
            default -> throw new TemplateException("'" + typeName(value) + "' object is not iterable");
        };
    }

    static boolean isIterable(Object value) {
        return value instanceof List
                || value instanceof Map
                || value instanceof String
                || value instanceof Generator
                || value instanceof Undefined;
    }

    static boolean isNumber(Object value) {
        return value instanceof Number || value instanceof Boolean;
    }

    /// A whole number: Python's `int` or `bool`.
    static boolean isWhole(Object value) {
        return value instanceof Long || value instanceof Boolean;
    }

    static long whole(Object value) {
        return switch (value) {
            case Long l -> l;
            case Boolean b -> b ? 1 : 0;
            case Undefined undefined -> throw undefined.use();
            default ->
                throw new TemplateException("'" + typeName(value) + "' object cannot be interpreted as an integer");
        };
    }

    static double real(Object value) {
        return value instanceof Boolean b ? (b ? 1 : 0) : ((Number) value).doubleValue();
    }

    static boolean equal(Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return isWhole(a) && isWhole(b) ? whole(a) == whole(b) : real(a) == real(b);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            if (x.size() != y.size() || (a instanceof Tuple) != (b instanceof Tuple)) {
                return false;
            }
            Iterator<?> other = y.iterator();
            return x.stream().allMatch(item -> equal(item, other.next()));
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return x.size() == y.size()
                    && x.entrySet().stream().allMatch(e -> {
                        Object other = y.get(e.getKey());
                        return other != null && equal(e.getValue(), other);
                    });
        }
        return a.equals(b);
    }

    /// Python's order.
    ///
    /// @param operator for the message if the two have none
    static int compare(Object a, Object b, String operator) {
        if (isNumber(a) && isNumber(b)) {
            return isWhole(a) && isWhole(b) ? Long.compare(whole(a), whole(b)) : Double.compare(real(a), real(b));
        }
        if (a instanceof String x && b instanceof String y) {
            return compareCodePoints(x, y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y && (a instanceof Tuple) == (b instanceof Tuple)) {
            for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return compare(x.get(i), y.get(i), operator);
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        if (a instanceof Undefined undefined) {
            throw undefined.use();
        }
        if (b instanceof Undefined undefined) {
            throw undefined.use();
        }
        throw new TemplateException(
                "'%s' not supported between instances of '%s' and '%s'".formatted(operator, typeName(a), typeName(b)));
    }

    private static int compareCodePoints(String a, String b) {
        int i = 0;
        while (i < a.length() && i < b.length()) {
            int x = a.codePointAt(i);
            int y = b.codePointAt(i);
            if (x != y) {
                return Integer.compare(x, y);
            }
            i += Character.charCount(x);
        }
        return Integer.compare(a.length(), b.length());
    }
}
