package dev.halftone.format.gguf;

import dev.halftone.InputException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// SentencePiece's BPE has a score for each token, tokenizer.json a ranked list of the merges: each made of the other.
///
/// llama.cpp (`llama-vocab.cpp`, `llm_tokenizer_spm_session`) merges any two neighbours that together are a token, the
/// token of the highest score first. tokenizer.json merges only the pairs that it lists, the first of them first. The
/// two do the same if each way to make a token of two is listed, and the ways to make one token stand together. That
/// is how transformers makes the list from a SentencePiece model (`generate_merges`); a list that was trained without
/// scores has one way for each token, and no scores say that.
///
/// Mistral's runs of spaces have one score, and their ways are mixed in the list, the longest first. Both make the same
/// of a run for all that: that is tried, run by run ([Runs]).
///
/// Among places where the same token can be made, both take the leftmost, but for two that overlap and are made in
/// different ways, such as `aaa` of `a`, `aa`, `a`: llama.cpp and SentencePiece take the first place, tokenizers the
/// way that is listed first.
public final class ScoredMerges {
    private final List<String> tokens;
    private final Function<String, InputException> refused;
    /// Tokens that merging may meet.
    private final Map<String, Integer> ids = new HashMap<>();
    /// Tokens that it never meets.
    private final Set<String> whole = new HashSet<>();

    /// @param tokens by id
    /// @param isWhole ids of tokens that are found in texts before merging
    /// @param refused an exception that says why a vocabulary cannot be
    public ScoredMerges(List<String> tokens, IntPredicate isWhole, Function<String, InputException> refused) {
        this.tokens = tokens;
        this.refused = refused;
        for (int id = 0; id < tokens.size(); id++) {
            // `▁` is in no text that special tokens are looked for in, so such a token can be made by merging alone.
            if (!isWhole.test(id) || tokens.get(id).contains("▁")) {
                ids.put(tokens.get(id), id);
            } else {
                whole.add(tokens.get(id));
            }
        }
    }

    /// The merges of a tokenizer.json.
    ///
    /// @param scores by id
    /// @return each as its two parts with a space between, first to last; of the ways to make one token, as
    ///     transformers has it, that with the longest first part first
    /// @throws InputException if tokens have equal scores, and no list merges as these do
    List<String> ofScores(double[] scores) {
        // -0.0 is 0.0 to llama.cpp.
        SortedMap<Double, List<Integer>> groups = new TreeMap<>(Comparator.reverseOrder());
        for (int id = 0; id < tokens.size(); id++) {
            if (!ways(id).isEmpty()) {
                groups.computeIfAbsent(scores[id] + 0.0, _ -> new ArrayList<>()).add(id);
            }
        }
        List<String> merges = new ArrayList<>();
        for (List<Integer> group : groups.values()) {
            List<String> ways = group.stream()
                    .flatMap(id -> ways(id).stream())
                    .sorted(Comparator.comparingInt(ScoredMerges::firstLength)
                            .thenComparingInt(way -> way.codePointCount(0, way.length()))
                            .reversed())
                    .toList();
            requireOneScore(ways);
            merges.addAll(ways);
        }
        return merges;
    }

    private static int firstLength(String way) {
        return way.codePointCount(0, way.indexOf(' '));
    }

    /// The scores of a SentencePiece model: 0, -1, -2, … for the tokens that merges make, first to last, and so on
    /// for single characters. Others are not merged; their score, which says nothing, is 0.
    ///
    /// @param merges of a tokenizer.json, each as its two parts with a space between
    /// @return by id
    /// @throws InputException if no scores merge as these merges do
    public float[] scores(List<String> merges) {
        Set<String> listed = new HashSet<>(merges);
        for (int id = 0; id < tokens.size(); id++) {
            for (String way : ways(id)) {
                if (!listed.contains(way)) {
                    throw refused.apply("it does not merge '%s', and llama.cpp, which has no list of merges, would"
                            .formatted(way.replace(" ", "' and '")));
                }
            }
        }
        List<String> ranked =
                merges.stream().filter(m -> ids.containsKey(made(m))).toList();
        Map<String, Integer> lasts = new HashMap<>();
        for (int rank = 0; rank < ranked.size(); rank++) {
            lasts.put(made(ranked.get(rank)), rank);
        }
        float[] scores = new float[tokens.size()];
        int next = 0;
        int start = 0;
        int end = 0;
        for (int rank = 0; rank < ranked.size(); rank++) {
            String token = made(ranked.get(rank));
            scores[ids.getOrDefault(token, 0)] = -next;
            end = Math.max(end, lasts.getOrDefault(token, rank));
            List<String> group = ranked.subList(start, rank + 1);
            if (rank == end && isMixed(group) && rank + 1 < ranked.size()) {
                // What such tokens are made of belongs to them.
                String following = made(ranked.get(rank + 1));
                end += hasPart(group, Set.of(following)) ? 1 : 0;
            }
            if (rank == end) {
                requireOneScore(group);
                next++;
                start = rank + 1;
            }
        }
        for (int id = 0; id < scores.length; id++) {
            String token = tokens.get(id);
            if (ids.containsKey(token) && token.codePointCount(0, token.length()) == 1) {
                scores[id] = -next++;
            }
        }
        return scores;
    }

    private static String made(String merge) {
        return merge.replace(" ", "");
    }

    private static boolean isMixed(List<String> ways) {
        return ways.stream().map(ScoredMerges::made).distinct().count() > 1;
    }

    private static boolean hasPart(List<String> ways, Set<String> tokens) {
        return ways.stream()
                .anyMatch(way -> tokens.contains(way.substring(0, way.indexOf(' ')))
                        || tokens.contains(way.substring(way.indexOf(' ') + 1)));
    }

    /// @param ways of the tokens of one score, first to last
    /// @throws InputException if llama.cpp, to which they are equal, merges otherwise
    private void requireOneScore(List<String> ways) {
        if (!isMixed(ways)) {
            return;
        }
        Set<String> group = ways.stream().map(ScoredMerges::made).collect(Collectors.toCollection(LinkedHashSet::new));
        boolean partOfOthers = IntStream.range(0, tokens.size())
                .filter(id -> !group.contains(tokens.get(id)))
                .anyMatch(id -> hasPart(ways(id), group));
        if (partOfOthers || !Runs.cutAlike(group, ways)) {
            throw refused.apply(
                    "'%s' and %d more of its tokens have one score or mixed merges, and llama.cpp would not merge them alike"
                            .formatted(group.iterator().next(), group.size() - 1));
        }
    }

    /// The ways to make a token of two, that with the shortest first part first.
    ///
    /// @throws InputException if one needs a character that is no token: llama.cpp merges it, tokenizers does not
    private List<String> ways(int id) {
        String token = tokens.get(id);
        List<String> ways = new ArrayList<>();
        // No text has a space left when it is merged.
        if (!ids.containsKey(token) || token.indexOf(' ') >= 0) {
            return ways;
        }
        for (int i = token.offsetByCodePoints(0, 1); i < token.length(); i = token.offsetByCodePoints(i, 1)) {
            String first = token.substring(0, i);
            String second = token.substring(i);
            if (!canStand(first) || !canStand(second)) {
                continue;
            }
            if (!ids.containsKey(first) || !ids.containsKey(second)) {
                throw refused.apply("its token '%s' has a character that is no token".formatted(token));
            }
            ways.add(first + " " + second);
        }
        return ways;
    }

    /// Whether merging can meet a piece of text: a token, or any character of which merging starts.
    private boolean canStand(String piece) {
        boolean character = piece.codePointCount(0, piece.length()) == 1 && !whole.contains(piece);
        return character || ids.containsKey(piece);
    }
}
