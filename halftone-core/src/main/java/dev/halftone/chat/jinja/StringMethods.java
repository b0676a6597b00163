package dev.halftone.chat.jinja;

import dev.halftone.chat.jinja.Callable.Args;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.IntPredicate;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The methods of Python's `str`.
final class StringMethods {
    private StringMethods() {}

    /// The method bound to `s`, or null if strings have no such method.
    static @Nullable Callable method(String s, String name) {
        return switch (name) {
            case "capitalize" -> args -> Text.capitalized(s);
            case "count" -> args -> count(s, args.string(0, "sub"));
            case "endswith" -> args -> anyOf(args.get(0, "suffix"), s::endsWith);
            case "find" -> args -> position(s, s.indexOf(args.string(0, "sub")));
            case "index" -> args -> found(position(s, s.indexOf(args.string(0, "sub"))));
            case "isalnum" -> args -> all(s, Character::isLetterOrDigit);
            case "isalpha" -> args -> all(s, Character::isLetter);
            case "isdecimal", "isdigit", "isnumeric" -> args -> all(s, Character::isDigit);
            case "islower" -> args -> isLower(s);
            case "isspace" -> args -> all(s, Text::isSpace);
            case "isupper" -> args -> isUpper(s);
            case "join" ->
                args -> Values.items(args.get(0, "iterable")).stream()
                        .map(StringMethods::joinable)
                        .collect(Collectors.joining(s));
            case "ljust" -> args -> s + padding(s, args);
            case "lower", "casefold" -> args -> lower(s);
            case "lstrip" -> args -> strip(s, characters(args), true, false);
            case "partition" -> args -> partition(s, args.string(0, "sep"), s.indexOf(args.string(0, "sep")), true);
            case "removeprefix" ->
                args -> {
                    String prefix = args.string(0, "prefix");
                    return s.startsWith(prefix) ? s.substring(prefix.length()) : s;
                };
            case "removesuffix" ->
                args -> {
                    String suffix = args.string(0, "suffix");
                    return s.endsWith(suffix) ? s.substring(0, s.length() - suffix.length()) : s;
                };
            case "replace" -> args -> replace(s, args.string(0, "old"), args.string(1, "new"), limit(args, 2, "count"));
            case "rfind" -> args -> position(s, s.lastIndexOf(args.string(0, "sub")));
            case "rindex" -> args -> found(position(s, s.lastIndexOf(args.string(0, "sub"))));
            case "rjust" -> args -> padding(s, args) + s;
            case "rpartition" ->
                args -> partition(s, args.string(0, "sep"), s.lastIndexOf(args.string(0, "sep")), false);
            case "rsplit" -> args -> split(s, args, true);
            case "rstrip" -> args -> strip(s, characters(args), false, true);
            case "split" -> args -> split(s, args, false);
            case "splitlines" -> args -> new ArrayList<Object>(lines(s, args.flag(0, "keepends", false)));
            case "startswith" -> args -> anyOf(args.get(0, "prefix"), s::startsWith);
            case "strip" -> args -> strip(s, characters(args), true, true);
            case "swapcase" -> args -> swapped(s);
            case "title" -> args -> title(s);
            case "upper" -> args -> upper(s);
            case "zfill" ->
                args -> {
                    int sign = s.startsWith("-") || s.startsWith("+") ? 1 : 0;
                    String zeros = padding(s, args).replace(' ', '0');
                    return s.substring(0, sign) + zeros + s.substring(sign);
                };
            default -> null;
        };
    }

    static String lower(String s) {
        return s.toLowerCase(Locale.ROOT);
    }

    static String upper(String s) {
        return s.toUpperCase(Locale.ROOT);
    }

    static boolean isLower(String s) {
        return s.codePoints().anyMatch(Character::isLowerCase) && s.codePoints().noneMatch(Character::isUpperCase);
    }

    static boolean isUpper(String s) {
        return s.codePoints().anyMatch(Character::isUpperCase) && s.codePoints().noneMatch(Character::isLowerCase);
    }

    private static boolean all(String s, IntPredicate test) {
        return !s.isEmpty() && s.codePoints().allMatch(test);
    }

    private static boolean anyOf(Object candidates, Predicate<String> test) {
        if (candidates instanceof Tuple tuple) {
            return tuple.stream().anyMatch(c -> test.test(Values.string(c)));
        }
        return test.test(Values.string(candidates));
    }

    private static String joinable(Object item) {
        if (item instanceof String s) {
            return s;
        }
        throw new TemplateException("sequence item: expected str instance, " + Values.typeName(item) + " found");
    }

    private static long count(String s, String part) {
        if (part.isEmpty()) {
            return Text.length(s) + 1L;
        }
        long count = 0;
        for (int i = s.indexOf(part); i >= 0; i = s.indexOf(part, i + part.length())) {
            count++;
        }
        return count;
    }

    private static long position(String s, int index) {
        return index < 0 ? -1 : Text.codePoints(s, index);
    }

    private static long found(long position) {
        if (position < 0) {
            throw new TemplateException("substring not found");
        }
        return position;
    }

    private static @Nullable String characters(Args args) {
        Object characters = args.get(0, "chars", None.NONE);
        return characters == None.NONE ? null : Values.string(characters);
    }

    /// Removes the given characters, or white space if none are given, from one end or both.
    static String strip(String s, @Nullable String characters, boolean left, boolean right) {
        IntPredicate strips = characters == null ? Text::isSpace : c -> characters.indexOf(c) >= 0;
        int start = 0;
        int end = s.length();
        while (left && start < end && strips.test(s.codePointAt(start))) {
            start += Character.charCount(s.codePointAt(start));
        }
        while (right && end > start && strips.test(s.codePointBefore(end))) {
            end -= Character.charCount(s.codePointBefore(end));
        }
        return s.substring(start, end);
    }

    private static long limit(Args args, int index, String name) {
        Object limit = args.get(index, name, None.NONE);
        return limit == None.NONE ? -1 : Values.whole(limit);
    }

    /// @param limit how many are replaced, all if negative
    static String replace(String s, String old, String replacement, long limit) {
        if (limit < 0) {
            Operators.checkLength(s.length() + count(s, old) * replacement.length());
            return s.replace(old, replacement);
        }
        StringBuilder out = new StringBuilder();
        int from = 0;
        for (long n = 0; n < limit; n++) {
            int i = s.indexOf(old, from);
            if (i < 0 || (old.isEmpty() && i >= s.length())) {
                break;
            }
            out.append(s, from, i).append(replacement);
            from = i + old.length();
            if (old.isEmpty()) {
                out.append(s.charAt(from++));
            }
        }
        return out.append(s, from, s.length()).toString();
    }

    private static Tuple partition(String s, String separator, int index, boolean first) {
        if (index < 0) {
            return first ? Tuple.of(s, "", "") : Tuple.of("", "", s);
        }
        return Tuple.of(s.substring(0, index), separator, s.substring(index + separator.length()));
    }

    private static List<Object> split(String s, Args args, boolean fromRight) {
        Object separator = args.get(0, "sep", None.NONE);
        long limit = limit(args, 1, "maxsplit");
        if (separator == None.NONE) {
            return splitAtSpace(s, limit, fromRight);
        }
        String at = Values.string(separator);
        if (at.isEmpty()) {
            throw new TemplateException("empty separator");
        }
        List<Object> parts = new ArrayList<>();
        int start = 0;
        int end = s.length();
        while (limit < 0 || parts.size() < limit) {
            int i = fromRight ? s.lastIndexOf(at, end - at.length()) : s.indexOf(at, start);
            if (i < 0) {
                break;
            }
            if (fromRight) {
                parts.addFirst(s.substring(i + at.length(), end));
                end = i;
            } else {
                parts.add(s.substring(start, i));
                start = i + at.length();
            }
        }
        String rest = s.substring(start, end);
        if (fromRight) {
            parts.addFirst(rest);
        } else {
            parts.add(rest);
        }
        return parts;
    }

    /// Runs of white space separate, and those at the ends count for nothing.
    private static List<Object> splitAtSpace(String s, long limit, boolean fromRight) {
        List<Object> parts = new ArrayList<>();
        String rest = strip(s, null, !fromRight, fromRight);
        while (!rest.isEmpty()) {
            if (limit >= 0 && parts.size() == limit) {
                parts.add(rest);
                break;
            }
            int space = fromRight ? lastSpace(rest) : firstSpace(rest);
            parts.add(fromRight ? rest.substring(space + 1) : rest.substring(0, space));
            rest = fromRight ? rest.substring(0, space + 1) : rest.substring(space);
            rest = strip(rest, null, !fromRight, fromRight);
        }
        return fromRight ? parts.reversed() : parts;
    }

    /// The first white space, or the end.
    private static int firstSpace(String s) {
        int i = 0;
        while (i < s.length() && !Text.isSpace(s.charAt(i))) {
            i++;
        }
        return i;
    }

    /// The last white space, or -1.
    private static int lastSpace(String s) {
        int i = s.length() - 1;
        while (i >= 0 && !Text.isSpace(s.charAt(i))) {
            i--;
        }
        return i;
    }

    static List<String> lines(String s, boolean keepEnds) {
        List<String> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i < s.length(); i++) {
            if (!isLineEnd(s.charAt(i))) {
                continue;
            }
            int end = s.charAt(i) == '\r' && i + 1 < s.length() && s.charAt(i + 1) == '\n' ? i + 2 : i + 1;
            lines.add(s.substring(start, keepEnds ? end : i));
            start = end;
            i = end - 1;
        }
        if (start < s.length()) {
            lines.add(s.substring(start));
        }
        return lines;
    }

    private static boolean isLineEnd(char c) {
        return switch (c) {
            case '\n', '\r', 0x0B, '\f', 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029 -> true;
            default -> false;
        };
    }

    /// Python's `str.title`: every letter that no letter stands before is upper case.
    private static String title(String s) {
        StringBuilder out = new StringBuilder();
        boolean afterLetter = false;
        for (int c : s.codePoints().toArray()) {
            out.appendCodePoint(afterLetter ? Character.toLowerCase(c) : Character.toTitleCase(c));
            afterLetter = Character.isLetter(c);
        }
        return out.toString();
    }

    private static String swapped(String s) {
        StringBuilder out = new StringBuilder();
        s.codePoints().mapToObj(Character::toString).forEach(c -> out.append(isLower(c) ? upper(c) : lower(c)));
        return out.toString();
    }

    private static String padding(String s, Args args) {
        long width = Values.whole(args.get(0, "width"));
        Operators.checkLength(width);
        String fill = Values.string(args.get(1, "fillchar", " "));
        return fill.repeat((int) Math.max(0, width - Text.length(s)));
    }
}
