package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Expression.Arguments;
import dev.halftone.chat.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Expressions by precedence, weakest first:
///
/// ```text
/// a if c else b      or      and      not      == != < <= > >= in, not in      + -      ~      * / // %      **
/// unary + -          x.y  x[y]  x(y)           x | filter,  x is test
/// ```
///
/// As in jinja2, `**` groups to the left, and a filter binds to what stands right before it: `a + b | f` is `a +
/// (b | f)`.
final class ExpressionParser {
    private static final Set<String> COMPARISONS = Set.of("==", "!=", "<", "<=", ">", ">=");

    /// After these a test has no argument, and a list no further item.
    private static final Set<String> KEYWORDS = Set.of("else", "or", "and", "if", "is", "in", "not");

    private final TokenStream tokens;

    ExpressionParser(TokenStream tokens) {
        this.tokens = tokens;
    }

    Expression expression() {
        return expression(true);
    }

    /// @param conditional whether `a if b` is taken, which it is not in the list of a `for … in xs if …`
    Expression expression(boolean conditional) {
        Expression value = or();
        while (conditional && tokens.peek().isName("if")) {
            At at = tokens.take().at();
            Expression condition = or();
            Expression otherwise = tokens.takeIfName("else") ? expression() : null;
            value = new Expression.Conditional(condition, value, otherwise, at);
        }
        return value;
    }

    /// An expression, or several with commas between them: a tuple.
    Expression tuple(boolean conditional) {
        At at = tokens.peek().at();
        Expression first = expression(conditional);
        if (!tokens.peek().isOperator(",")) {
            return first;
        }
        List<Expression> items = new ArrayList<>(List.of(first));
        while (tokens.takeIfOperator(",") && !endsList()) {
            items.add(expression(conditional));
        }
        return new Expression.TupleOf(items, at);
    }

    private boolean endsList() {
        Token token = tokens.peek();
        return switch (token.kind()) {
            case VARIABLE_END, BLOCK_END, END -> true;
            case OPERATOR ->
                token.text().equals(")")
                        || token.text().equals("]")
                        || token.text().equals("=");
            case NAME -> KEYWORDS.contains(token.text()) && !token.text().equals("not");
            case TEXT, BLOCK_BEGIN, VARIABLE_BEGIN, STRING, INTEGER, FLOAT -> false;
        };
    }

    private Expression or() {
        Expression left = and();
        while (tokens.peek().isName("or")) {
            At at = tokens.take().at();
            left = new Expression.Or(left, and(), at);
        }
        return left;
    }

    private Expression and() {
        Expression left = not();
        while (tokens.peek().isName("and")) {
            At at = tokens.take().at();
            left = new Expression.And(left, not(), at);
        }
        return left;
    }

    private Expression not() {
        if (tokens.peek().isName("not")) {
            At at = tokens.take().at();
            return new Expression.Not(not(), at);
        }
        return comparison();
    }

    private Expression comparison() {
        At at = tokens.peek().at();
        Expression first = sum();
        List<Expression.Comparison> rest = new ArrayList<>();
        for (String operator = comparator(); operator != null; operator = comparator()) {
            rest.add(new Expression.Comparison(operator, sum()));
        }
        return rest.isEmpty() ? first : new Expression.Compare(first, rest, at);
    }

    private @Nullable String comparator() {
        Token token = tokens.peek();
        if (token.kind() == Kind.OPERATOR && COMPARISONS.contains(token.text())) {
            return tokens.take().text();
        }
        if (tokens.takeIfName("in")) {
            return "in";
        }
        if (token.isName("not") && tokens.peekSecond().isName("in")) {
            tokens.take();
            tokens.take();
            return "not in";
        }
        return null;
    }

    private Expression sum() {
        Expression left = concat();
        while (tokens.peek().isOperator("+") || tokens.peek().isOperator("-")) {
            Token operator = tokens.take();
            left = new Expression.Binary(operator.text(), left, concat(), operator.at());
        }
        return left;
    }

    private Expression concat() {
        At at = tokens.peek().at();
        Expression first = product();
        if (!tokens.peek().isOperator("~")) {
            return first;
        }
        List<Expression> parts = new ArrayList<>(List.of(first));
        while (tokens.takeIfOperator("~")) {
            parts.add(product());
        }
        return new Expression.Concat(parts, at);
    }

    private Expression product() {
        Expression left = power();
        while (tokens.peek().kind() == Kind.OPERATOR
                && Set.of("*", "/", "//", "%").contains(tokens.peek().text())) {
            Token operator = tokens.take();
            left = new Expression.Binary(operator.text(), left, power(), operator.at());
        }
        return left;
    }

    private Expression power() {
        Expression left = unary(true);
        while (tokens.peek().isOperator("**")) {
            At at = tokens.take().at();
            left = new Expression.Binary("**", left, unary(true), at);
        }
        return left;
    }

    private Expression unary(boolean filters) {
        Token token = tokens.peek();
        Expression value;
        if (token.isOperator("-") || token.isOperator("+")) {
            tokens.take();
            value = new Expression.Sign(token.isOperator("-"), unary(false), token.at());
        } else {
            value = primary();
        }
        value = postfix(value);
        return filters ? filters(value) : value;
    }

    private Expression primary() {
        Token token = tokens.take();
        At at = token.at();
        return switch (token.kind()) {
            case NAME ->
                switch (token.text()) {
                    case "true", "True" -> new Expression.Constant(true, at);
                    case "false", "False" -> new Expression.Constant(false, at);
                    case "none", "None" -> new Expression.Constant(None.NONE, at);
                    default -> new Expression.Name(token.text(), at);
                };
            case STRING -> {
                StringBuilder text = new StringBuilder(token.text());
                while (tokens.peek().kind() == Kind.STRING) {
                    text.append(tokens.take().text());
                }
                yield new Expression.Constant(text.toString(), at);
            }
            case INTEGER -> {
                try {
                    yield new Expression.Constant(Long.parseLong(token.text()), at);
                } catch (NumberFormatException e) {
                    throw new TemplateException("the number " + token.text() + " is too large", at);
                }
            }
            case FLOAT -> new Expression.Constant(Double.parseDouble(token.text()), at);
            case OPERATOR ->
                switch (token.text()) {
                    case "(" -> parenthesized(at);
                    case "[" -> list(at);
                    case "{" -> dict(at);
                    default -> throw new TemplateException("expected an expression, found " + token.describe(), at);
                };
            case TEXT, BLOCK_BEGIN, BLOCK_END, VARIABLE_BEGIN, VARIABLE_END, END ->
                throw new TemplateException("expected an expression, found " + token.describe(), at);
        };
    }

    private Expression parenthesized(At at) {
        if (tokens.takeIfOperator(")")) {
            return new Expression.TupleOf(List.of(), at);
        }
        Expression value = tuple(true);
        tokens.expectOperator(")");
        return value;
    }

    private Expression list(At at) {
        List<Expression> items = new ArrayList<>();
        while (!tokens.peek().isOperator("]")) {
            items.add(expression());
            if (!tokens.takeIfOperator(",")) {
                break;
            }
        }
        tokens.expectOperator("]");
        return new Expression.ListOf(items, at);
    }

    private Expression dict(At at) {
        List<Expression.Entry> entries = new ArrayList<>();
        while (!tokens.peek().isOperator("}")) {
            Expression key = expression();
            tokens.expectOperator(":");
            entries.add(new Expression.Entry(key, expression()));
            if (!tokens.takeIfOperator(",")) {
                break;
            }
        }
        tokens.expectOperator("}");
        return new Expression.DictOf(entries, at);
    }

    private Expression postfix(Expression start) {
        Expression value = start;
        while (tokens.peek().kind() == Kind.OPERATOR) {
            At at = tokens.peek().at();
            if (tokens.takeIfOperator(".")) {
                if (tokens.peek().kind() == Kind.INTEGER) {
                    long index = Long.parseLong(tokens.take().text());
                    value = new Expression.Item(value, new Expression.Constant(index, at), at);
                } else {
                    value = new Expression.Attribute(
                            value, tokens.expect(Kind.NAME, "a name").text(), at);
                }
            } else if (tokens.takeIfOperator("[")) {
                value = subscript(value, at);
            } else if (tokens.peek().isOperator("(")) {
                value = new Expression.Call(value, arguments(), at);
            } else {
                break;
            }
        }
        return value;
    }

    private Expression subscript(Expression target, At at) {
        Expression start = tokens.peek().isOperator(":") ? null : tuple(true);
        if (start != null && tokens.takeIfOperator("]")) {
            return new Expression.Item(target, start, at);
        }
        tokens.expectOperator(":");
        Expression stop = slicePart();
        Expression step = tokens.takeIfOperator(":") ? slicePart() : null;
        tokens.expectOperator("]");
        return new Expression.Slice(target, start, stop, step, at);
    }

    private @Nullable Expression slicePart() {
        return tokens.peek().isOperator(":") || tokens.peek().isOperator("]") ? null : expression();
    }

    /// Filters, tests and calls, as many as follow.
    private Expression filters(Expression start) {
        Expression value = start;
        while (true) {
            At at = tokens.peek().at();
            if (tokens.peek().isOperator("|")) {
                tokens.take();
                value = new Expression.Filtered(value, filter(), at);
            } else if (tokens.takeIfName("is")) {
                value = test(value, at);
            } else if (tokens.peek().isOperator("(")) {
                value = new Expression.Call(value, arguments(), at);
            } else {
                return value;
            }
        }
    }

    /// A filter behind its `|`.
    Expression.Filter filter() {
        Token name = tokens.expect(Kind.NAME, "the name of a filter");
        Arguments arguments = tokens.peek().isOperator("(") ? arguments() : Arguments.NONE;
        return new Expression.Filter(name.text(), arguments, name.at());
    }

    private Expression test(Expression value, At at) {
        boolean negated = tokens.takeIfName("not");
        String name = tokens.expect(Kind.NAME, "the name of a test").text();
        Arguments arguments = Arguments.NONE;
        if (tokens.peek().isOperator("(")) {
            arguments = arguments();
        } else if (startsTestArgument(tokens.peek())) {
            arguments = new Arguments(List.of(postfix(primary())), Map.of());
        }
        Expression test = new Expression.Test(value, name, arguments, at);
        return negated ? new Expression.Not(test, at) : test;
    }

    private static boolean startsTestArgument(Token token) {
        return switch (token.kind()) {
            case NAME -> !KEYWORDS.contains(token.text());
            case STRING, INTEGER, FLOAT -> true;
            case OPERATOR -> token.text().equals("[") || token.text().equals("{");
            case TEXT, BLOCK_BEGIN, BLOCK_END, VARIABLE_BEGIN, VARIABLE_END, END -> false;
        };
    }

    private Arguments arguments() {
        tokens.expectOperator("(");
        List<Expression> positional = new ArrayList<>();
        Map<String, Expression> named = new LinkedHashMap<>();
        while (!tokens.peek().isOperator(")")) {
            Token token = tokens.peek();
            if (token.kind() == Kind.NAME && tokens.peekSecond().isOperator("=")) {
                tokens.take();
                tokens.take();
                named.put(token.text(), expression());
            } else if (named.isEmpty()) {
                positional.add(expression());
            } else {
                throw tokens.unexpected("a named argument");
            }
            if (!tokens.takeIfOperator(",")) {
                break;
            }
        }
        tokens.expectOperator(")");
        return new Arguments(positional, named);
    }
}
