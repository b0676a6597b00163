package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import dev.halftone.chat.jinja.Statement.Signature;
import dev.halftone.chat.jinja.Statement.Target;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Runs the statements of a template, once.
final class Interpreter {
    /// How a list of statements ended.
    private enum Flow {
        DONE,
        BREAK,
        CONTINUE
    }

    private final Evaluator evaluator = new Evaluator();
    private final List<Template.Span> generated = new ArrayList<>();
    private final StringBuilder whole = new StringBuilder();
    /// Where output goes: the whole text, or what a macro or block gathers.
    private StringBuilder out = whole;

    Template.Rendered render(List<Statement> statements, Scope scope) {
        run(statements, scope);
        return new Template.Rendered(whole.toString(), generated);
    }

    private Flow run(List<Statement> statements, Scope scope) {
        for (Statement statement : statements) {
            Flow flow = run(statement, scope);
            if (flow != Flow.DONE) {
                return flow;
            }
        }
        return Flow.DONE;
    }

    private Flow run(Statement statement, Scope scope) {
        evaluator.step();
        switch (statement) {
            case Statement.Output(String text) -> print(text);
            case Statement.Print(Expression value) -> print(Values.string(evaluator.evaluate(value, scope)));
            case Statement.If(Expression condition, List<Statement> then, List<Statement> otherwise) -> {
                return run(evaluator.isTrue(condition, scope) ? then : otherwise, scope);
            }
            case Statement.For loop -> {
                return loop(loop, evaluator.evaluate(loop.iterable(), scope), scope, 0);
            }
            case Statement.Set(Target target, Expression value) ->
                bind(target, evaluator.evaluate(value, scope), scope);
            case Statement.SetBlock(Target target, List<Expression.Filter> filters, List<Statement> body) ->
                bind(target, filtered(gather(body, new Scope(scope)), filters, scope), scope);
            case Statement.Macro(String name, Signature signature, List<Statement> body) ->
                scope.set(name, macro(name, signature, body, scope));
            case Statement.CallBlock(Signature signature, Expression call, List<Statement> body) ->
                print(callBlock(signature, (Expression.Call) call, body, scope));
            case Statement.FilterBlock(List<Expression.Filter> filters, List<Statement> body) ->
                print(Values.string(filtered(gather(body, new Scope(scope)), filters, scope)));
            case Statement.With(List<Statement.Set> variables, List<Statement> body) -> {
                Scope inner = new Scope(scope);
                for (Statement.Set variable : variables) {
                    bind(variable.target(), evaluator.evaluate(variable.value(), scope), inner);
                }
                return run(body, inner);
            }
            case Statement.Generation(List<Statement> body) -> {
                int start = whole.length();
                String text = gather(body, new Scope(scope));
                generated.add(new Template.Span(start, start + text.length()));
                print(text);
            }
            case Statement.Break() -> {
                return Flow.BREAK;
            }
            case Statement.Continue() -> {
                return Flow.CONTINUE;
            }
        }
        return Flow.DONE;
    }

    private void print(String text) {
        Operators.checkLength((long) out.length() + text.length());
        out.append(text);
    }

    /// What statements would print.
    private String gather(List<Statement> body, Scope scope) {
        StringBuilder outer = out;
        out = new StringBuilder();
        try {
            run(body, scope);
            return out.toString();
        } finally {
            out = outer;
        }
    }

    private Object filtered(Object value, List<Expression.Filter> filters, Scope scope) {
        Object result = value;
        for (Expression.Filter filter : filters) {
            result = evaluator.filter(filter, result, scope);
        }
        return result;
    }

    private Flow loop(Statement.For statement, Object iterable, Scope scope, int depth) {
        List<Object> items = iterated(statement, iterable, scope);
        if (items.isEmpty()) {
            return run(statement.otherwise(), new Scope(scope));
        }
        Loop loop = new Loop(
                items, depth, statement.recursive() ? (inner, level) -> recurse(statement, inner, scope, level) : null);
        for (int i = 0; i < items.size(); i++) {
            evaluator.step();
            loop.moveTo(i);
            // A variable set in one turn is gone in the next.
            Scope turn = new Scope(scope);
            turn.set("loop", loop);
            bind(statement.target(), items.get(i), turn);
            if (run(statement.body(), turn) == Flow.BREAK) {
                break;
            }
        }
        return Flow.DONE;
    }

    private List<Object> iterated(Statement.For statement, Object iterable, Scope scope) {
        List<Object> items;
        try {
            items = Values.items(iterable);
        } catch (TemplateException e) {
            throw e.orAt(statement.at());
        }
        Expression filter = statement.filter();
        if (filter == null) {
            return items;
        }
        List<Object> kept = new ArrayList<>();
        for (Object item : items) {
            Scope turn = new Scope(scope);
            bind(statement.target(), item, turn);
            if (evaluator.isTrue(filter, turn)) {
                kept.add(item);
            }
        }
        return kept;
    }

    private String recurse(Statement.For statement, Object items, Scope scope, int depth) {
        StringBuilder outer = out;
        out = new StringBuilder();
        try {
            loop(statement, items, scope, depth);
            return out.toString();
        } finally {
            out = outer;
        }
    }

    private void bind(Target target, Object value, Scope scope) {
        switch (target) {
            case Target.Variable(String name, At ignored) -> scope.set(name, value);
            case Target.Field(String namespace, String name, At at) -> {
                if (!(scope.get(namespace) instanceof Namespace fields)) {
                    throw new TemplateException("cannot assign attribute on non-namespace object", at);
                }
                fields.put(name, value);
            }
            case Target.Unpacked(List<Target> targets, At at) -> {
                List<Object> values;
                try {
                    values = Values.items(value);
                } catch (TemplateException e) {
                    throw e.orAt(at);
                }
                if (values.size() != targets.size()) {
                    throw new TemplateException(
                            "expected %d values to unpack, found %d".formatted(targets.size(), values.size()), at);
                }
                for (int i = 0; i < targets.size(); i++) {
                    bind(targets.get(i), values.get(i), scope);
                }
            }
        }
    }

    private Callable macro(String name, Signature signature, List<Statement> body, Scope defined) {
        return args -> gather(body, bound(name, signature, args, new Scope(defined)));
    }

    private Scope bound(String macro, Signature signature, Args args, Scope scope) {
        List<String> names = signature.names();
        if (args.size() > names.size()) {
            throw new TemplateException("macro '%s' takes not more than %d argument(s)".formatted(macro, names.size()));
        }
        Map<String, Object> named = new LinkedHashMap<>(args.named());
        int firstDefault = names.size() - signature.defaults().size();
        for (int i = 0; i < names.size(); i++) {
            String name = names.get(i);
            Object given = named.remove(name);
            if (i < args.size()) {
                given = args.positional().get(i);
            }
            if (given == null) {
                given = i < firstDefault
                        ? new Undefined("parameter '" + name + "' was not provided")
                        : evaluator.evaluate(signature.defaults().get(i - firstDefault), scope);
            }
            scope.set(name, given);
        }
        Object caller = named.remove("caller");
        if (caller != null) {
            scope.set("caller", caller);
        }
        if (!named.isEmpty()) {
            throw new TemplateException("macro '%s' takes no keyword argument '%s'"
                    .formatted(macro, named.keySet().iterator().next()));
        }
        return scope;
    }

    private String callBlock(Signature signature, Expression.Call call, List<Statement> body, Scope scope) {
        try {
            Args args = evaluator.arguments(call.arguments(), scope);
            Map<String, Object> named = new LinkedHashMap<>(args.named());
            named.put("caller", macro("caller", signature, body, scope));
            Object target = evaluator.evaluate(call.target(), scope);
            return Values.string(Evaluator.call(target, new Args(args.positional(), named)));
        } catch (TemplateException e) {
            throw e.orAt(call.at());
        }
    }
}
