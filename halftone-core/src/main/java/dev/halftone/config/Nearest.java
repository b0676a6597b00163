package dev.halftone.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;

/// Finds the name that someone probably meant.
public final class Nearest {
    private static final int LISTED = 16;

    private Nearest() {}

    /// The closest of the names, unless even that one is far off. A beginning of a name is close.
    public static Optional<String> to(String name, Collection<String> names) {
        int reach = Math.max(2, name.length() / 3);
        return closest(name, names.stream().filter(n -> distance(name, n) <= reach || n.startsWith(name)));
    }

    private static Optional<String> closest(String name, Stream<String> names) {
        return names.min(
                Comparator.comparingInt((String n) -> distance(name, n)).thenComparing(n -> n));
    }

    /// A sentence to append to a message, with a space before it: the nearest name, or all of them if they are few
    /// and none is near.
    public static String hint(String name, Collection<String> names) {
        if (names.isEmpty()) {
            return "";
        }
        return to(name, names)
                .map(n -> " Did you mean '" + n + "'?")
                .orElseGet(() -> names.size() <= LISTED
                        ? " Use one of: "
                                + String.join(", ", names.stream().sorted().toList()) + "."
                        : " The nearest is '" + closest(name, names.stream()).orElseThrow() + "'.");
    }

    /// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other: the optimal string
    /// alignment distance. Case and the choice between `-` and `_` cost nothing.
    static int distance(String from, String to) {
        String a = fold(from);
        String b = fold(to);
        int[][] d = new int[a.length() + 1][b.length() + 1];
        for (int i = 0; i <= a.length(); i++) {
            for (int j = 0; j <= b.length(); j++) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                int replace = d[i - 1][j - 1] + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                d[i][j] = Math.min(replace, 1 + Math.min(d[i - 1][j], d[i][j - 1]));
                if (i > 1 && j > 1 && a.charAt(i - 1) == b.charAt(j - 2) && a.charAt(i - 2) == b.charAt(j - 1)) {
                    d[i][j] = Math.min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        return d[a.length()][b.length()];
    }

    private static String fold(String s) {
        return s.toLowerCase(Locale.ROOT).replace('-', '_');
    }
}
