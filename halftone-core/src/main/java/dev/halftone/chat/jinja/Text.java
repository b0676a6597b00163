package dev.halftone.chat.jinja;

/// Strings as Python sees them: sequences of code points, with Python's notion of white space.
final class Text {
    private Text() {}

    /// Python's `str.isspace` for one character.
    static boolean isSpace(int c) {
        return switch (c) {
            case ' ', '\t', '\n', 0x0B, '\f', '\r', 0x1C, 0x1D, 0x1E, 0x1F, 0x85, 0xA0 -> true;
            case 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000 -> true;
            default -> c >= 0x2000 && c <= 0x200A;
        };
    }

    static int length(String s) {
        return s.codePointCount(0, s.length());
    }

    /// The UTF-16 index of a code point.
    static int index(String s, int codePoint) {
        return s.offsetByCodePoints(0, codePoint);
    }

    /// How many code points stand before a UTF-16 index.
    static int codePoints(String s, int index) {
        return s.codePointCount(0, index);
    }

    static String capitalized(String s) {
        if (s.isEmpty()) {
            return s;
        }
        int first = s.codePointAt(0);
        return new StringBuilder()
                .appendCodePoint(Character.toTitleCase(first))
                .append(StringMethods.lower(s.substring(Character.charCount(first))))
                .toString();
    }

    /// The value of a string literal: Python's escapes, and a backslash stays before anything else.
    static String unescape(String literal) {
        if (literal.indexOf('\\') < 0) {
            return literal;
        }
        StringBuilder value = new StringBuilder(literal.length());
        int i = 0;
        while (i < literal.length()) {
            char c = literal.charAt(i++);
            if (c != '\\' || i == literal.length()) {
                value.append(c);
                continue;
            }
            char escape = literal.charAt(i++);
            switch (escape) {
                case '\n' -> {
                    // A backslash at a line's end continues the string on the next.
                }
                case '\\', '\'', '"' -> value.append(escape);
                case 'a' -> value.append('\u0007');
                case 'b' -> value.append('\b');
                case 'f' -> value.append('\f');
                case 'n' -> value.append('\n');
                case 'r' -> value.append('\r');
                case 't' -> value.append('\t');
                case 'v' -> value.append('\u000B');
                case 'x' -> i = hex(literal, i, 2, value);
                case 'u' -> i = hex(literal, i, 4, value);
                case 'U' -> i = hex(literal, i, 8, value);
                case '0', '1', '2', '3', '4', '5', '6', '7' -> i = octal(literal, i - 1, value);
                default -> value.append('\\').append(escape);
            }
        }
        return value.toString();
    }

    private static int hex(String literal, int start, int digits, StringBuilder value) {
        int end = start + digits;
        try {
            value.appendCodePoint(Integer.parseInt(literal.substring(start, end), 16));
        } catch (NumberFormatException | IndexOutOfBoundsException e) {
            throw new TemplateException("the string has an escape that is cut short");
        } catch (IllegalArgumentException e) {
            throw new TemplateException("the string has an escape that is no Unicode character");
        }
        return end;
    }

    private static int octal(String literal, int start, StringBuilder value) {
        int end = start;
        while (end < literal.length() && end < start + 3 && literal.charAt(end) >= '0' && literal.charAt(end) <= '7') {
            end++;
        }
        value.append((char) Integer.parseInt(literal.substring(start, end), 8));
        return end;
    }
}
