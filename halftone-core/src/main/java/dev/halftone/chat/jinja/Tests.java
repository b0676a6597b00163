package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.util.List;
import java.util.Map;

/// jinja2's tests: `x is name(…)`.
final class Tests {
    private Tests() {}

    /// @throws TemplateException if there is no test of that name
    static boolean holds(String name, Object value, Args args) {
        return switch (name) {
            case "boolean" -> value instanceof Boolean;
            case "callable" -> value instanceof Callable || value instanceof Undefined;
            case "defined" -> !(value instanceof Undefined);
            case "divisibleby" -> Values.equal(Operators.binary("%", value, args.get(0, "num")), 0L);
            case "eq", "equalto", "==" -> Values.equal(value, args.get(0, "other"));
            case "even" -> Values.equal(Operators.binary("%", value, 2L), 0L);
            case "false" -> value.equals(false);
            case "float" -> value instanceof Double;
            case "ge", ">=" -> Values.compare(value, args.get(0, "other"), ">=") >= 0;
            case "gt", "greaterthan", ">" -> Values.compare(value, args.get(0, "other"), ">") > 0;
            case "in" -> Operators.contains(args.get(0, "seq"), value);
            case "integer" -> value instanceof Long;
            case "iterable" -> Values.isIterable(value);
            case "le", "<=" -> Values.compare(value, args.get(0, "other"), "<=") <= 0;
            case "lower" -> StringMethods.isLower(Values.string(value));
            case "lt", "lessthan", "<" -> Values.compare(value, args.get(0, "other"), "<") < 0;
            case "mapping" -> value instanceof Map;
            case "ne", "!=" -> !Values.equal(value, args.get(0, "other"));
            case "none" -> value == None.NONE;
            case "number" -> Values.isNumber(value);
            case "odd" -> Values.equal(Operators.binary("%", value, 2L), 1L);
            case "sameas" -> isSame(value, args.get(0, "other"));
            case "sequence" ->
                value instanceof List || value instanceof Map || value instanceof String || value instanceof Undefined;
            case "string" -> value instanceof String;
            case "true" -> value.equals(true);
            case "undefined" -> value instanceof Undefined;
            case "upper" -> StringMethods.isUpper(Values.string(value));
            default -> throw new TemplateException("No test named '" + name + "'.");
        };
    }

    /// Python's `is`: constants and equal strings and numbers of one type are one object, containers are not.
    @SuppressWarnings("ReferenceEquality")
    private static boolean isSame(Object a, Object b) {
        boolean container = a instanceof List || a instanceof Map;
        return container ? a == b : a.getClass() == b.getClass() && a.equals(b);
    }
}
