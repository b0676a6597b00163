package dev.halftone.format.gguf;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntBinaryOperator;

/// Runs of one character, such as spaces, whose tokens are all worth the same: they are merged where the leftmost two
/// pieces can be. A list of merges ranks the pairs of pieces instead. Whether that makes a difference is tried.
final class Runs {
    /// How many times the longest token the longest run is that is tried.
    private static final int TIMES = 4;

    private final Set<Integer> lengths;

    private Runs(Set<Integer> lengths) {
        this.lengths = lengths;
    }

    /// Whether the tokens are runs of one character, made of that and each other, and texts of it are cut alike
    /// with the list and without.
    ///
    /// @param ways to merge two pieces, with a space between, first to last: all that make one of the tokens
    static boolean cutAlike(Set<String> tokens, List<String> ways) {
        String first = tokens.iterator().next();
        String character = first.substring(0, first.offsetByCodePoints(0, 1));
        Map<String, Integer> ranks = new HashMap<>();
        int longest = 0;
        Set<Integer> lengths = new HashSet<>();
        for (String token : tokens) {
            int length = token.length() / character.length();
            if (!token.equals(character.repeat(length))) {
                return false;
            }
            lengths.add(length);
            longest = Math.max(longest, length);
        }
        for (int rank = 0; rank < ways.size(); rank++) {
            String way = ways.get(rank);
            ranks.put(way, rank);
            if (!isPiece(way.substring(0, way.indexOf(' ')), character, tokens)
                    || !isPiece(way.substring(way.indexOf(' ') + 1), character, tokens)) {
                return false;
            }
        }
        Runs runs = new Runs(lengths);
        for (int length = 1; length <= TIMES * longest; length++) {
            List<Integer> leftmost = runs.cut(length, (_, _) -> 0);
            List<Integer> ranked =
                    runs.cut(length, (a, b) -> ranks.getOrDefault(character.repeat(a) + " " + character.repeat(b), 0));
            if (!leftmost.equals(ranked)) {
                return false;
            }
        }
        return true;
    }

    private static boolean isPiece(String part, String character, Set<String> tokens) {
        return part.equals(character) || tokens.contains(part);
    }

    /// The lengths of the pieces that a run is cut into.
    ///
    /// @param rank of two lengths that stand together; the least is merged first, of equal ones the leftmost
    private List<Integer> cut(int length, IntBinaryOperator rank) {
        List<Integer> pieces = new ArrayList<>();
        for (int i = 0; i < length; i++) {
            pieces.add(1);
        }
        while (true) {
            int best = -1;
            int least = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < pieces.size(); i++) {
                int a = pieces.get(i);
                int b = pieces.get(i + 1);
                if (lengths.contains(a + b) && rank.applyAsInt(a, b) < least) {
                    best = i;
                    least = rank.applyAsInt(a, b);
                }
            }
            if (best < 0) {
                return pieces;
            }
            pieces.set(best + 1, pieces.get(best) + pieces.get(best + 1));
            pieces.subList(best, best + 1).clear();
        }
    }
}
