package dev.halftone.chat.jinja;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What stands in `{{ … }}` and after the keywords of statements.
sealed interface Expression {
    At at();

    record Constant(Object value, At at) implements Expression {}

    record Name(String name, At at) implements Expression {}

    record ListOf(List<Expression> items, At at) implements Expression {}

    record TupleOf(List<Expression> items, At at) implements Expression {}

    record DictOf(List<Entry> entries, At at) implements Expression {}

    record Entry(Expression key, Expression value) {}

    record Attribute(Expression target, String name, At at) implements Expression {}

    record Item(Expression target, Expression key, At at) implements Expression {}

    record Slice(
            Expression target,
            @Nullable Expression start,
            @Nullable Expression stop,
            @Nullable Expression step,
            At at) implements Expression {}

    record Call(Expression target, Arguments arguments, At at) implements Expression {}

    record Filtered(Expression target, Filter filter, At at) implements Expression {}

    record Test(Expression target, String name, Arguments arguments, At at) implements Expression {}

    record Not(Expression operand, At at) implements Expression {}

    record Sign(boolean negative, Expression operand, At at) implements Expression {}

    record Binary(String operator, Expression left, Expression right, At at) implements Expression {}

    record And(Expression left, Expression right, At at) implements Expression {}

    record Or(Expression left, Expression right, At at) implements Expression {}

    record Concat(List<Expression> parts, At at) implements Expression {}

    /// `a < b <= c`: each pair must hold.
    record Compare(Expression first, List<Comparison> rest, At at) implements Expression {}

    record Comparison(String operator, Expression operand) {}

    record Conditional(
            Expression condition, Expression then, @Nullable Expression otherwise, At at) implements Expression {}

    record Arguments(List<Expression> positional, Map<String, Expression> named) {
        static final Arguments NONE = new Arguments(List.of(), Map.of());
    }

    /// A filter and its arguments, without what it is applied to.
    record Filter(String name, Arguments arguments, At at) {}
}
