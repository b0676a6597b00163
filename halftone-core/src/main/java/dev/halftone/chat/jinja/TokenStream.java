package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Token.Kind;
import java.util.List;

/// Tokens with a place in them.
final class TokenStream {
    private final List<Token> tokens;
    private int next;

    TokenStream(List<Token> tokens) {
        this.tokens = tokens;
    }

    Token peek() {
        return tokens.get(next);
    }

    Token peekSecond() {
        return tokens.get(Math.min(next + 1, tokens.size() - 1));
    }

    Token take() {
        Token token = peek();
        if (token.kind() != Kind.END) {
            next++;
        }
        return token;
    }

    boolean takeIfOperator(String operator) {
        return takeIf(Kind.OPERATOR, operator);
    }

    boolean takeIfName(String name) {
        return takeIf(Kind.NAME, name);
    }

    private boolean takeIf(Kind kind, String text) {
        boolean found = peek().is(kind, text);
        if (found) {
            next++;
        }
        return found;
    }

    Token expect(Kind kind, String what) {
        if (peek().kind() != kind) {
            throw unexpected(what);
        }
        return take();
    }

    void expectOperator(String operator) {
        if (!takeIfOperator(operator)) {
            throw unexpected("'" + operator + "'");
        }
    }

    void expectName(String name) {
        if (!takeIfName(name)) {
            throw unexpected("'" + name + "'");
        }
    }

    TemplateException unexpected(String expected) {
        return new TemplateException("expected " + expected + ", found " + peek().describe(), peek().at());
    }
}
