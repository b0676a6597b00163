package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Token.Kind;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Locale;

/// Cuts a template into tokens and settles its white space, by jinja2's rules with `trim_blocks` and
/// `lstrip_blocks`:
///
/// - `{%-` and `-%}` (also on `{{` and `{#`) remove all white space on their side;
/// - the first newline after a block or comment is removed, unless it ends in `+%}`;
/// - spaces before a block or comment that begins its line are removed, unless it begins with `{%+`;
/// - one newline at the end of the template is removed.
final class Lexer {
    /// Longer ones first.
    private static final List<String> OPERATORS = List.of(
            "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
            "=", ".", ":", "|", ",", ";");

    private final String source;
    private final int[] lineStarts;
    private final List<Token> tokens = new ArrayList<>();
    private int position;
    /// Whether what was read last ended a line, so that spaces that follow are an indent.
    private boolean lineStarting = true;

    private Lexer(String source) {
        String lines = source.replace("\r\n", "\n").replace('\r', '\n');
        this.source = lines.endsWith("\n") ? lines.substring(0, lines.length() - 1) : lines;
        List<Integer> starts = new ArrayList<>(List.of(0));
        for (int i = 0; i < this.source.length(); i++) {
            if (this.source.charAt(i) == '\n') {
                starts.add(i + 1);
            }
        }
        lineStarts = starts.stream().mapToInt(Integer::intValue).toArray();
    }

    static List<Token> lex(String source) {
        Lexer lexer = new Lexer(source);
        lexer.template();
        return lexer.tokens;
    }

    private void template() {
        while (position < source.length()) {
            int tag = nextTag();
            if (tag < 0) {
                text(position, source.length());
                position = source.length();
                break;
            }
            char sign = tag + 2 < source.length() ? source.charAt(tag + 2) : ' ';
            int inside = tag + (sign == '-' || sign == '+' ? 3 : 2);
            textBefore(tag, sign, source.charAt(tag + 1) != '{');
            switch (source.charAt(tag + 1)) {
                case '#' -> comment(tag, inside);
                case '{' -> tag(tag, inside, Kind.VARIABLE_BEGIN, Kind.VARIABLE_END, "}}");
                default -> {
                    int raw = afterRawTag(inside, "raw");
                    if (raw >= 0) {
                        raw(tag, raw);
                    } else {
                        tag(tag, inside, Kind.BLOCK_BEGIN, Kind.BLOCK_END, "%}");
                    }
                }
            }
        }
        add(Kind.END, "", source.length());
    }

    private int nextTag() {
        for (int i = source.indexOf('{', position); i >= 0 && i + 1 < source.length(); i = source.indexOf('{', i + 1)) {
            char next = source.charAt(i + 1);
            if (next == '%' || next == '{' || next == '#') {
                return i;
            }
        }
        return -1;
    }

    private void textBefore(int tag, char sign, boolean mayDropIndent) {
        int end = tag;
        if (sign == '-') {
            while (end > position && Text.isSpace(source.charAt(end - 1))) {
                end--;
            }
        } else if (sign != '+' && mayDropIndent) {
            int indent = tag;
            while (indent > position && isIndent(source.charAt(indent - 1))) {
                indent--;
            }
            boolean beginsLine = indent > position ? source.charAt(indent - 1) == '\n' : lineStarting;
            end = beginsLine ? indent : tag;
        }
        text(position, end);
    }

    private static boolean isIndent(char c) {
        return c != '\n' && Text.isSpace(c);
    }

    private void text(int start, int end) {
        if (end > start) {
            add(Kind.TEXT, source.substring(start, end), start);
        }
    }

    private void comment(int tag, int inside) {
        int end = source.indexOf("#}", inside);
        if (end < 0) {
            throw new TemplateException("the comment has no end '#}'", at(tag));
        }
        char sign = end > inside ? source.charAt(end - 1) : ' ';
        afterTag(end + 2, sign, true);
    }

    /// Where the tag `{% raw %}` or `{% endraw %}` ends whose inside starts here, or -1 if it is another.
    private int afterRawTag(int inside, String name) {
        int at = skipSpace(inside);
        if (!source.startsWith(name, at)) {
            return -1;
        }
        at = skipSpace(at + name.length());
        if (source.startsWith("-%}", at)) {
            return skipSpace(at + 3);
        }
        return source.startsWith("%}", at) ? at + 2 : -1;
    }

    private void raw(int tag, int start) {
        for (int end = source.indexOf("{%", start); end >= 0; end = source.indexOf("{%", end + 1)) {
            char sign = end + 2 < source.length() ? source.charAt(end + 2) : ' ';
            int name = skipSpace(end + (sign == '-' || sign == '+' ? 3 : 2));
            if (!source.startsWith("endraw", name)) {
                continue;
            }
            int close = skipSpace(name + "endraw".length());
            char closeSign = close < source.length() ? source.charAt(close) : ' ';
            int bracket = closeSign == '-' || closeSign == '+' ? close + 1 : close;
            if (source.startsWith("%}", bracket)) {
                position = start;
                lineStarting = start > 0 && source.charAt(start - 1) == '\n';
                textBefore(end, sign, true);
                afterTag(bracket + 2, closeSign, true);
                return;
            }
        }
        throw new TemplateException("'raw' has no '{% endraw %}'", at(tag));
    }

    /// The tokens of `{{ … }}` or `{% … %}`.
    private void tag(int tag, int inside, Kind begin, Kind end, String close) {
        add(begin, source.substring(tag, inside), tag);
        boolean block = begin == Kind.BLOCK_BEGIN;
        Deque<Character> open = new ArrayDeque<>();
        position = inside;
        while (true) {
            position = skipSpace(position);
            if (position >= source.length()) {
                throw new TemplateException("the tag has no end '" + close + "'", at(tag));
            }
            if (open.isEmpty()) {
                char c = source.charAt(position);
                boolean signed = (c == '-' || (block && c == '+')) && source.startsWith(close, position + 1);
                if (signed || source.startsWith(close, position)) {
                    add(end, close, position);
                    afterTag(position + (signed ? 3 : 2), c, block);
                    return;
                }
            }
            token(open);
        }
    }

    /// Moves behind a tag and drops the white space that goes with it.
    private void afterTag(int end, char sign, boolean trim) {
        position = end;
        if (sign == '-') {
            position = skipSpace(position);
        } else if (trim && sign != '+' && position < source.length() && source.charAt(position) == '\n') {
            position++;
        }
        lineStarting = source.charAt(position - 1) == '\n';
    }

    private void token(Deque<Character> open) {
        char c = source.charAt(position);
        if (c == '\'' || c == '"') {
            string(c);
        } else if (Character.isDigit(c)) {
            number();
        } else if (c == '_' || Character.isUnicodeIdentifierStart(source.codePointAt(position))) {
            int end = position;
            while (end < source.length() && isNamePart(source.codePointAt(end))) {
                end += Character.charCount(source.codePointAt(end));
            }
            add(Kind.NAME, source.substring(position, end), position);
            position = end;
        } else {
            operator(open);
        }
    }

    private static boolean isNamePart(int codePoint) {
        return codePoint == '_'
                || (Character.isUnicodeIdentifierPart(codePoint) && !Character.isIdentifierIgnorable(codePoint));
    }

    private void operator(Deque<Character> open) {
        for (String operator : OPERATORS) {
            if (source.startsWith(operator, position)) {
                switch (operator) {
                    case "(" -> open.push(')');
                    case "[" -> open.push(']');
                    case "{" -> open.push('}');
                    case ")", "]", "}" -> {
                        if (open.isEmpty() || open.pop() != operator.charAt(0)) {
                            throw new TemplateException("'" + operator + "' closes nothing", at(position));
                        }
                    }
                    default -> {
                        // Nothing to balance.
                    }
                }
                add(Kind.OPERATOR, operator, position);
                position += operator.length();
                return;
            }
        }
        throw new TemplateException("unexpected character '" + source.charAt(position) + "'", at(position));
    }

    private void string(char quote) {
        int start = position;
        int end = start + 1;
        while (end < source.length() && source.charAt(end) != quote) {
            end += source.charAt(end) == '\\' ? 2 : 1;
        }
        if (end >= source.length()) {
            throw new TemplateException("the string has no end " + quote, at(start));
        }
        add(Kind.STRING, Text.unescape(source.substring(start + 1, end)), start);
        position = end + 1;
    }

    private void number() {
        int start = position;
        boolean afterDot = start > 0 && source.charAt(start - 1) == '.';
        String prefix =
                source.substring(start, Math.min(start + 2, source.length())).toLowerCase(Locale.ROOT);
        if (prefix.equals("0x") || prefix.equals("0o") || prefix.equals("0b")) {
            int end = start + 2;
            while (end < source.length()
                    && (Character.digit(source.charAt(end), 16) >= 0 || source.charAt(end) == '_')) {
                end++;
            }
            int radix = prefix.equals("0x") ? 16 : prefix.equals("0o") ? 8 : 2;
            String digits = source.substring(start + 2, end).replace("_", "");
            position = end;
            try {
                add(Kind.INTEGER, Long.toString(Long.parseLong(digits, radix)), start);
            } catch (NumberFormatException e) {
                throw new TemplateException("'" + source.substring(start, end) + "' is not a number", at(start));
            }
            return;
        }
        int end = digits(start);
        boolean isFloat = false;
        if (!afterDot && end + 1 < source.length() && source.charAt(end) == '.' && isDigit(end + 1)) {
            end = digits(end + 1);
            isFloat = true;
        }
        if (!afterDot && end < source.length() && (source.charAt(end) | 0x20) == 'e') {
            int exponent = end + 1;
            if (exponent < source.length() && (source.charAt(exponent) == '+' || source.charAt(exponent) == '-')) {
                exponent++;
            }
            if (isDigit(exponent)) {
                end = digits(exponent);
                isFloat = true;
            }
        }
        add(isFloat ? Kind.FLOAT : Kind.INTEGER, source.substring(start, end).replace("_", ""), start);
        position = end;
    }

    private int digits(int start) {
        int end = start;
        while (isDigit(end)
                || (end > start && end < source.length() && source.charAt(end) == '_' && isDigit(end + 1))) {
            end++;
        }
        return end;
    }

    private boolean isDigit(int index) {
        return index < source.length() && source.charAt(index) >= '0' && source.charAt(index) <= '9';
    }

    private int skipSpace(int start) {
        int end = start;
        while (end < source.length() && Text.isSpace(source.charAt(end))) {
            end++;
        }
        return end;
    }

    private void add(Kind kind, String text, int start) {
        tokens.add(new Token(kind, text, at(start)));
    }

    private At at(int offset) {
        int found = Arrays.binarySearch(lineStarts, offset);
        int line = found >= 0 ? found : -found - 2;
        return new At(line + 1, offset - lineStarts[line] + 1);
    }
}
