package dev.halftone.chat.jinja;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Python's arithmetic, `in`, and what `+`, `*` and `%` do to strings and lists.
final class Operators {
    /// No text or list of a chat is longer; a template that doubles a string in a loop soon is.
    static final int MAX_LENGTH = 1 << 26;

    private Operators() {}

    static Object binary(String operator, Object left, Object right) {
        if (left instanceof Undefined undefined) {
            throw undefined.use();
        }
        if (right instanceof Undefined undefined && !(left instanceof String && operator.equals("%"))) {
            throw undefined.use();
        }
        if (Values.isNumber(left) && Values.isNumber(right)) {
            try {
                return Values.isWhole(left) && Values.isWhole(right)
                        ? whole(operator, Values.whole(left), Values.whole(right))
                        : real(operator, Values.real(left), Values.real(right));
            } catch (ArithmeticException e) {
                throw new TemplateException("the result of '" + operator + "' is too large");
            }
        }
        return switch (operator) {
            case "+" -> plus(left, right);
            case "*" -> times(left, right);
            case "%" -> {
                if (left instanceof String format) {
                    yield PercentFormat.format(format, right);
                }
                throw unsupported(operator, left, right);
            }
            default -> throw unsupported(operator, left, right);
        };
    }

    private static Object whole(String operator, long a, long b) {
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "/" -> (double) a / nonZero(b, "division by zero");
            case "//" -> Math.floorDiv(a, nonZero(b, "integer division or modulo by zero"));
            case "%" -> Math.floorMod(a, nonZero(b, "integer modulo by zero"));
            case "**" -> b < 0 ? (Object) Math.pow((double) a, (double) b) : (Object) power(a, b);
            default -> throw new IllegalStateException(operator);
        };
    }

    private static long nonZero(long value, String message) {
        if (value == 0) {
            throw new TemplateException(message);
        }
        return value;
    }

    private static long power(long base, long exponent) {
        if (base == 0 || base == 1 || base == -1) {
            return exponent == 0 ? 1 : exponent % 2 == 0 ? base * base : base;
        }
        long result = 1;
        for (long i = 0; i < exponent; i++) {
            result = Math.multiplyExact(result, base);
        }
        return result;
    }

    private static Object real(String operator, double a, double b) {
        if (b == 0 && (operator.equals("/") || operator.equals("//") || operator.equals("%"))) {
            throw new TemplateException("float division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor(a / b);
            case "%" -> a - Math.floor(a / b) * b;
            case "**" -> Math.pow(a, b);
            default -> throw new IllegalStateException(operator);
        };
    }

    private static Object plus(Object left, Object right) {
        if (left instanceof String a) {
            if (right instanceof String b) {
                checkLength((long) a.length() + b.length());
                return a + b;
            }
            throw new TemplateException("can only concatenate str (not \"" + Values.typeName(right) + "\") to str");
        }
        if (left instanceof List<?> a) {
            if (right instanceof List<?> b && (left instanceof Tuple) == (right instanceof Tuple)) {
                checkLength((long) a.size() + b.size());
                List<Object> joined = new ArrayList<>(a);
                joined.addAll(b);
                return left instanceof Tuple ? new Tuple(joined) : joined;
            }
            String type = Values.typeName(left);
            throw new TemplateException(
                    "can only concatenate %s (not \"%s\") to %s".formatted(type, Values.typeName(right), type));
        }
        throw unsupported("+", left, right);
    }

    private static Object times(Object left, Object right) {
        Object sequence = Values.isWhole(left) ? right : left;
        Object count = Values.isWhole(left) ? left : right;
        if (Values.isWhole(count)) {
            long times = Math.max(0, Values.whole(count));
            if (sequence instanceof String s) {
                checkProduct(s.length(), times);
                return s.repeat((int) times);
            }
            if (sequence instanceof List<?> list) {
                checkProduct(list.size(), times);
                List<Object> repeated = new ArrayList<>();
                for (long i = 0; i < times && !list.isEmpty(); i++) {
                    repeated.addAll(list);
                }
                return sequence instanceof Tuple ? new Tuple(repeated) : repeated;
            }
        }
        throw unsupported("*", left, right);
    }

    private static void checkProduct(long length, long times) {
        if (length > 0 && times > MAX_LENGTH / length) {
            checkLength(Long.MAX_VALUE);
        }
    }

    static void checkLength(long length) {
        if (length > MAX_LENGTH) {
            throw new TemplateException("a value grows beyond %d characters or items".formatted(MAX_LENGTH));
        }
    }

    static boolean contains(Object container, Object item) {
        return switch (container) {
            case String s -> {
                if (item instanceof String part) {
                    yield s.contains(part);
                }
                if (item instanceof Undefined undefined) {
                    throw undefined.use();
                }
                throw new TemplateException(
                        "'in <string>' requires string as left operand, not " + Values.typeName(item));
            }
            case Map<?, ?> map -> map.containsKey(item);
            case List<?> list -> list.stream().anyMatch(x -> Values.equal(x, item));
            case Generator generator -> generator.drain().stream().anyMatch(x -> Values.equal(x, item));
            case Undefined ignored -> false;
            default ->
                throw new TemplateException("argument of type '" + Values.typeName(container) + "' is not iterable");
        };
    }

    static Object sign(boolean negative, Object operand) {
        if (operand instanceof Undefined undefined) {
            throw undefined.use();
        }
        if (!Values.isNumber(operand)) {
            throw new TemplateException(
                    "bad operand type for unary %s: '%s'".formatted(negative ? "-" : "+", Values.typeName(operand)));
        }
        if (Values.isWhole(operand)) {
            return negative ? -Values.whole(operand) : Values.whole(operand);
        }
        return negative ? -Values.real(operand) : Values.real(operand);
    }

    private static TemplateException unsupported(String operator, Object left, Object right) {
        return new TemplateException("unsupported operand type(s) for %s: '%s' and '%s'"
                .formatted(operator, Values.typeName(left), Values.typeName(right)));
    }
}
