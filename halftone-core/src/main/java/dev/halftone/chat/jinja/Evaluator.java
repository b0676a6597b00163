package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Computes expressions.
final class Evaluator {
    /// A long conversation through a large template takes a hundredth of it, and all of it takes about a second.
    private static final long MAX_STEPS = 50_000_000;

    private long steps;

    /// Counts one expression, statement or turn of a loop, so that no template runs for ever.
    void step() {
        step(1);
    }

    private void step(long cost) {
        steps += cost;
        if (steps > MAX_STEPS) {
            throw new TemplateException("the template does not end after %d steps".formatted(MAX_STEPS));
        }
    }

    /// What makes a new list or string costs as much as it is long.
    private Object made(Object value) {
        switch (value) {
            case List<?> list -> step(list.size());
            case String s -> step(s.length() / 16);
            default -> {
                // Small.
            }
        }
        return value;
    }

    Object evaluate(Expression expression, Scope scope) {
        step();
        try {
            return switch (expression) {
                case Expression.Constant(Object value, At ignored) -> value;
                case Expression.Name(String name, At ignored) -> scope.get(name);
                case Expression.ListOf(List<Expression> items, At ignored) -> all(items, scope);
                case Expression.TupleOf(List<Expression> items, At ignored) -> new Tuple(all(items, scope));
                case Expression.DictOf(List<Expression.Entry> entries, At ignored) -> {
                    Map<Object, Object> dict = new LinkedHashMap<>();
                    for (Expression.Entry entry : entries) {
                        dict.put(evaluate(entry.key(), scope), evaluate(entry.value(), scope));
                    }
                    yield dict;
                }
                case Expression.Attribute(Expression target, String name, At ignored) ->
                    Lookup.attribute(evaluate(target, scope), name);
                case Expression.Item(Expression target, Expression key, At ignored) ->
                    Lookup.item(evaluate(target, scope), evaluate(key, scope));
                case Expression.Slice slice ->
                    made(Lookup.slice(
                            evaluate(slice.target(), scope),
                            orNone(slice.start(), scope),
                            orNone(slice.stop(), scope),
                            orNone(slice.step(), scope)));
                case Expression.Call(Expression target, Expression.Arguments arguments, At ignored) ->
                    made(call(evaluate(target, scope), arguments(arguments, scope)));
                case Expression.Filtered(Expression target, Expression.Filter filter, At ignored) ->
                    filter(filter, evaluate(target, scope), scope);
                case Expression.Test(Expression target, String name, Expression.Arguments arguments, At ignored) ->
                    Tests.holds(name, evaluate(target, scope), arguments(arguments, scope));
                case Expression.Not(Expression operand, At ignored) -> !isTrue(operand, scope);
                case Expression.Sign(boolean negative, Expression operand, At ignored) ->
                    Operators.sign(negative, evaluate(operand, scope));
                case Expression.Binary(String operator, Expression left, Expression right, At ignored) ->
                    made(Operators.binary(operator, evaluate(left, scope), evaluate(right, scope)));
                case Expression.And(Expression left, Expression right, At ignored) -> {
                    Object value = evaluate(left, scope);
                    yield Values.truthy(value) ? evaluate(right, scope) : value;
                }
                case Expression.Or(Expression left, Expression right, At ignored) -> {
                    Object value = evaluate(left, scope);
                    yield Values.truthy(value) ? value : evaluate(right, scope);
                }
                case Expression.Concat(List<Expression> parts, At ignored) -> made(concat(parts, scope));
                case Expression.Compare(Expression first, List<Expression.Comparison> rest, At ignored) ->
                    compare(first, rest, scope);
                case Expression.Conditional conditional -> {
                    if (isTrue(conditional.condition(), scope)) {
                        yield evaluate(conditional.then(), scope);
                    }
                    yield conditional.otherwise() == null
                            ? new Undefined(
                                    "the inline if-expression evaluated to false and no else section was defined.")
                            : evaluate(conditional.otherwise(), scope);
                }
            };
        } catch (TemplateException e) {
            throw e.orAt(expression.at());
        }
    }

    boolean isTrue(Expression condition, Scope scope) {
        return Values.truthy(evaluate(condition, scope));
    }

    Object filter(Expression.Filter filter, Object value, Scope scope) {
        try {
            return made(Filters.apply(filter.name(), value, arguments(filter.arguments(), scope)));
        } catch (TemplateException e) {
            throw e.orAt(filter.at());
        }
    }

    static Object call(Object target, Args args) {
        return switch (target) {
            case Callable callable -> callable.call(args);
            case Loop loop -> loop.call(args);
            case Undefined undefined -> throw undefined.use();
            default -> throw new TemplateException("'" + Values.typeName(target) + "' object is not callable");
        };
    }

    Args arguments(Expression.Arguments arguments, Scope scope) {
        Map<String, Object> named = new LinkedHashMap<>();
        List<Object> positional = all(arguments.positional(), scope);
        arguments.named().forEach((name, value) -> named.put(name, evaluate(value, scope)));
        return new Args(positional, named);
    }

    private List<Object> all(List<Expression> expressions, Scope scope) {
        List<Object> values = new ArrayList<>(expressions.size());
        for (Expression expression : expressions) {
            values.add(evaluate(expression, scope));
        }
        return values;
    }

    private Object orNone(@Nullable Expression expression, Scope scope) {
        return expression == null ? None.NONE : evaluate(expression, scope);
    }

    private String concat(List<Expression> parts, Scope scope) {
        StringBuilder text = new StringBuilder();
        for (Expression part : parts) {
            text.append(Values.string(evaluate(part, scope)));
            Operators.checkLength(text.length());
        }
        return text.toString();
    }

    private boolean compare(Expression first, List<Expression.Comparison> rest, Scope scope) {
        Object left = evaluate(first, scope);
        for (Expression.Comparison comparison : rest) {
            Object right = evaluate(comparison.operand(), scope);
            String operator = comparison.operator();
            boolean holds = switch (operator) {
                case "==" -> Values.equal(left, right);
                case "!=" -> !Values.equal(left, right);
                case "<" -> Values.compare(left, right, operator) < 0;
                case "<=" -> Values.compare(left, right, operator) <= 0;
                case ">" -> Values.compare(left, right, operator) > 0;
                case ">=" -> Values.compare(left, right, operator) >= 0;
                case "in" -> Operators.contains(right, left);
                case "not in" -> !Operators.contains(right, left);
                default -> throw new IllegalStateException(operator);
            };
            if (!holds) {
                return false;
            }
            left = right;
        }
        return true;
    }
}
