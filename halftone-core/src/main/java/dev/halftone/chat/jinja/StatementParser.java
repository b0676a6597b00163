package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Statement.Signature;
import dev.halftone.chat.jinja.Statement.Target;
import dev.halftone.chat.jinja.Token.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// The statements of a template.
final class StatementParser {
    private final TokenStream tokens;
    private final ExpressionParser expressions;
    private int loops;

    private StatementParser(TokenStream tokens) {
        this.tokens = tokens;
        this.expressions = new ExpressionParser(tokens);
    }

    static List<Statement> parse(String source) {
        StatementParser parser = new StatementParser(new TokenStream(Lexer.lex(source)));
        return parser.until(Set.of());
    }

    /// Statements up to one of the tags that end them, of which the name is left to read.
    private List<Statement> until(Set<String> ends) {
        List<Statement> statements = new ArrayList<>();
        while (true) {
            Token token = tokens.take();
            switch (token.kind()) {
                case TEXT -> statements.add(new Statement.Output(token.text()));
                case VARIABLE_BEGIN -> {
                    statements.add(new Statement.Print(expressions.tuple(true)));
                    tokens.expect(Kind.VARIABLE_END, "'}}'");
                }
                case BLOCK_BEGIN -> {
                    if (tokens.peek().kind() == Kind.NAME
                            && ends.contains(tokens.peek().text())) {
                        return statements;
                    }
                    statements.add(statement());
                }
                case END -> {
                    if (ends.isEmpty()) {
                        return statements;
                    }
                    throw new TemplateException(
                            "the template ends where one of "
                                    + ends.stream().sorted().toList() + " is missing",
                            token.at());
                }
                case BLOCK_END, VARIABLE_END, NAME, STRING, INTEGER, FLOAT, OPERATOR ->
                    throw new IllegalStateException("token outside of a tag: " + token);
            }
        }
    }

    private Statement statement() {
        Token name = tokens.expect(Kind.NAME, "the name of a statement");
        return switch (name.text()) {
            case "if" -> ifStatement();
            case "for" -> forStatement(name.at());
            case "set" -> setStatement();
            case "macro" -> macro();
            case "call" -> callBlock();
            case "filter" -> {
                List<Expression.Filter> filters = new ArrayList<>(List.of(expressions.filter()));
                filters.addAll(furtherFilters());
                yield new Statement.FilterBlock(filters, body("endfilter"));
            }
            case "with" -> with();
            case "generation" -> new Statement.Generation(body("endgeneration"));
            case "break", "continue" -> {
                if (loops == 0) {
                    throw new TemplateException("'" + name.text() + "' outside of a loop", name.at());
                }
                endTag();
                yield name.text().equals("break") ? new Statement.Break() : new Statement.Continue();
            }
            default -> throw new TemplateException("unknown tag '" + name.text() + "'", name.at());
        };
    }

    private void endTag() {
        tokens.expect(Kind.BLOCK_END, "'%}'");
    }

    /// The rest of the tag, the statements up to the end tag, and that.
    private List<Statement> body(String end) {
        endTag();
        List<Statement> statements = until(Set.of(end));
        tokens.expectName(end);
        endTag();
        return statements;
    }

    /// Behind `if` or `elif`, up to and with `endif`.
    private Statement ifStatement() {
        Expression condition = expressions.tuple(true);
        endTag();
        List<Statement> then = until(Set.of("elif", "else", "endif"));
        if (tokens.takeIfName("elif")) {
            return new Statement.If(condition, then, List.of(ifStatement()));
        }
        List<Statement> otherwise = List.of();
        if (tokens.takeIfName("else")) {
            endTag();
            otherwise = until(Set.of("endif"));
        }
        tokens.expectName("endif");
        endTag();
        return new Statement.If(condition, then, otherwise);
    }

    private Statement forStatement(At at) {
        Target target = targets();
        tokens.expectName("in");
        Expression iterable = expressions.tuple(false);
        Expression filter = tokens.takeIfName("if") ? expressions.expression() : null;
        boolean recursive = tokens.takeIfName("recursive");
        endTag();
        loops++;
        List<Statement> body = until(Set.of("else", "endfor"));
        loops--;
        List<Statement> otherwise = List.of();
        if (tokens.takeIfName("else")) {
            endTag();
            otherwise = until(Set.of("endfor"));
        }
        tokens.expectName("endfor");
        endTag();
        return new Statement.For(target, iterable, filter, body, otherwise, recursive, at);
    }

    private Statement setStatement() {
        Target target = targets();
        if (tokens.takeIfOperator("=")) {
            Expression value = expressions.tuple(true);
            endTag();
            return new Statement.Set(target, value);
        }
        List<Expression.Filter> filters = furtherFilters();
        return new Statement.SetBlock(target, filters, body("endset"));
    }

    private List<Expression.Filter> furtherFilters() {
        List<Expression.Filter> filters = new ArrayList<>();
        while (tokens.takeIfOperator("|")) {
            filters.add(expressions.filter());
        }
        return filters;
    }

    private Statement macro() {
        String name = tokens.expect(Kind.NAME, "the macro's name").text();
        Signature signature = signature();
        return new Statement.Macro(name, signature, separateBody("endmacro"));
    }

    private Statement callBlock() {
        Signature signature = tokens.peek().isOperator("(") ? signature() : new Signature(List.of(), List.of());
        Token start = tokens.peek();
        Expression call = expressions.expression();
        if (!(call instanceof Expression.Call)) {
            throw new TemplateException("expected a call of a macro", start.at());
        }
        return new Statement.CallBlock(signature, call, separateBody("endcall"));
    }

    /// A body that runs elsewhere, so that `break` cannot mean a loop around it.
    private List<Statement> separateBody(String end) {
        int outer = loops;
        loops = 0;
        List<Statement> body = body(end);
        loops = outer;
        return body;
    }

    private Signature signature() {
        tokens.expectOperator("(");
        List<String> names = new ArrayList<>();
        List<Expression> defaults = new ArrayList<>();
        while (!tokens.peek().isOperator(")")) {
            names.add(tokens.expect(Kind.NAME, "a parameter").text());
            if (tokens.takeIfOperator("=")) {
                defaults.add(expressions.expression());
            } else if (!defaults.isEmpty()) {
                throw tokens.unexpected("a default, since the parameter before has one");
            }
            if (!tokens.takeIfOperator(",")) {
                break;
            }
        }
        tokens.expectOperator(")");
        return new Signature(names, defaults);
    }

    private Statement with() {
        List<Statement.Set> variables = new ArrayList<>();
        while (tokens.peek().kind() != Kind.BLOCK_END) {
            Target target = target();
            tokens.expectOperator("=");
            variables.add(new Statement.Set(target, expressions.expression()));
            if (!tokens.takeIfOperator(",")) {
                break;
            }
        }
        return new Statement.With(variables, body("endwith"));
    }

    /// `a`, `a.b`, or several with commas between them.
    private Target targets() {
        At at = tokens.peek().at();
        Target first = target();
        if (!tokens.peek().isOperator(",")) {
            return first;
        }
        List<Target> all = new ArrayList<>(List.of(first));
        while (tokens.takeIfOperator(",")
                && (tokens.peek().kind() == Kind.NAME || tokens.peek().isOperator("("))) {
            all.add(target());
        }
        return new Target.Unpacked(all, at);
    }

    private Target target() {
        At at = tokens.peek().at();
        if (tokens.takeIfOperator("(")) {
            Target inner = targets();
            tokens.expectOperator(")");
            return inner;
        }
        String name = tokens.expect(Kind.NAME, "a variable").text();
        if (tokens.takeIfOperator(".")) {
            return new Target.Field(name, tokens.expect(Kind.NAME, "a name").text(), at);
        }
        return new Target.Variable(name, at);
    }
}
