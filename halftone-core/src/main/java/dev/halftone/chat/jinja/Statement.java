package dev.halftone.chat.jinja;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// Text, `{{ … }}` and `{% … %}`.
sealed interface Statement {
    record Output(String text) implements Statement {}

    record Print(Expression value) implements Statement {}

    record If(Expression condition, List<Statement> then, List<Statement> otherwise) implements Statement {}

    /// @param filter `for x in xs if filter`
    /// @param otherwise runs if nothing was iterated
    /// @param recursive whether the body may call `loop(…)`
    record For(
            Target target,
            Expression iterable,
            @Nullable Expression filter,
            List<Statement> body,
            List<Statement> otherwise,
            boolean recursive,
            At at)
            implements Statement {}

    record Set(Target target, Expression value) implements Statement {}

    record SetBlock(Target target, List<Expression.Filter> filters, List<Statement> body) implements Statement {}

    record Macro(String name, Signature signature, List<Statement> body) implements Statement {}

    /// `{% call(…) macro(…) %}…{% endcall %}`: the body is the macro's `caller`.
    record CallBlock(Signature signature, Expression call, List<Statement> body) implements Statement {}

    record FilterBlock(List<Expression.Filter> filters, List<Statement> body) implements Statement {}

    record With(List<Set> variables, List<Statement> body) implements Statement {}

    /// `{% generation %}`: what the assistant says.
    record Generation(List<Statement> body) implements Statement {}

    record Break() implements Statement {}

    record Continue() implements Statement {}

    /// Parameters of a macro: those with a default come last.
    record Signature(List<String> names, List<Expression> defaults) {}

    /// What an assignment or a loop binds.
    sealed interface Target {
        At at();

        record Variable(String name, At at) implements Target {}

        record Field(String namespace, String name, At at) implements Target {}

        record Unpacked(List<Target> targets, At at) implements Target {}
    }
}
