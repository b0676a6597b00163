package dev.halftone.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class ScoredMergesTest {
    private static final ObjectNode TOKENIZER = Json.readObject(Golden.path("tokenizer/sentencepiece/tokenizer.json"));
    private static final List<JsonNode> PIECES =
            List.copyOf(Json.readObject(Golden.path("tokenizer/sentencepiece/pieces.json"))
                    .path("pieces")
                    .values());

    @Test
    void theScoresOfTransformersMergesAreThoseThatSentencePieceGave() {
        float[] expected = scoresOfSentencePiece();
        float[] actual = trained().scores(merges(TOKENIZER));
        assertThat(actual).hasSameSizeAs(expected);
        assertThat(IntStream.range(0, actual.length)).allMatch(id -> actual[id] == expected[id]);
    }

    @Test
    void theMergesOfSentencePieceScoresAreThoseThatTransformersMade() {
        float[] scores = scoresOfSentencePiece();
        double[] doubles =
                IntStream.range(0, scores.length).mapToDouble(i -> scores[i]).toArray();
        assertThat(trained().ofScores(doubles)).isEqualTo(merges(TOKENIZER));
    }

    /// Mistral's, whose merges transformers orders so.
    @Test
    void runsOfSpacesMayShareAScore() {
        List<String> tokens = List.of("▁", "▁▁", "▁▁▁", "▁▁▁▁", "a", "▁a");
        List<String> merges = List.of("▁ a", "▁▁▁ ▁", "▁▁ ▁▁", "▁▁ ▁", "▁ ▁▁▁", "▁ ▁▁", "▁ ▁");
        assertThat(merges(tokens, 0, -9, -9, -9, -9, -1)).isEqualTo(merges);
        assertThat(of(tokens).scores(merges)).containsExactly(-2, -1, -1, -1, -3, 0);
    }

    /// Of `▁▁▁▁` llama.cpp would make `▁▁▁` and `▁`, where the list makes `▁▁` twice.
    @Test
    void runsThatTheOrderCutsOtherwiseMayNot() {
        List<String> tokens = List.of("▁", "▁▁", "▁▁▁");
        assertThatThrownBy(() -> of(tokens).scores(List.of("▁ ▁▁", "▁ ▁", "▁▁ ▁")))
                .hasMessageContaining("'▁▁▁' and 1 more of its tokens");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "a,b,c,d,ab,cd | 0,0,0,0,-1,-1 | 'ab' and 1 more of its tokens have one score or mixed merges",
                "a,aa,aaaa | 0,-1,-1 | ",
                "a,aa,aaa,aaab,b | 0,-1,-1,-2,0 | 'aaa' and 1 more",
                "a,ab,b,bc | 0,-1,0,-2 | 'bc' has a character that is no token",
            })
    void scoresThatNoListMergesAsAreRefused(String tokens, String scores, String reason) {
        double[] values = Arrays.stream(scores.split(",", -1))
                .mapToDouble(Double::parseDouble)
                .toArray();
        List<String> all = List.of(tokens.split(",", -1));
        if (reason == null) {
            assertThat(merges(all, values)).isNotEmpty();
            return;
        }
        assertThatThrownBy(() -> merges(all, values))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(reason);
    }

    @Test
    void mergesThatNoScoresGiveAreRefused() {
        List<String> tokens = List.of("a", "b", "c", "ab", "bc", "abc");
        assertThatThrownBy(() -> of(tokens).scores(List.of("a b", "b c", "ab c")))
                .hasMessageContaining("it does not merge 'a' and 'bc'");
        assertThatThrownBy(() -> of(tokens).scores(List.of("ab c", "a b", "b c", "a bc")))
                .hasMessageContaining("'abc' and 2 more of its tokens");
        assertThat(of(tokens).scores(List.of("a b", "b c", "a bc", "ab c"))).containsExactly(-3, -4, -5, 0, -1, -2);
        JsonNode trainedByTokenizers = Json.readObject(Golden.path("tokenizer/metaspace_fallback/tokenizer.json"));
        assertThatThrownBy(() -> of(tokens(trainedByTokenizers)).scores(merges(trainedByTokenizers)))
                .hasMessageContaining("it does not merge");
    }

    private static ScoredMerges trained() {
        return new ScoredMerges(tokens(TOKENIZER), id -> id < 6, InputException::new);
    }

    private static ScoredMerges of(List<String> tokens) {
        return new ScoredMerges(tokens, _ -> false, InputException::new);
    }

    private static List<String> merges(List<String> tokens, double... scores) {
        return of(tokens).ofScores(scores);
    }

    private static float[] scoresOfSentencePiece() {
        float[] scores = new float[PIECES.size()];
        for (int i = 0; i < scores.length; i++) {
            scores[i] = (float) PIECES.get(i).path("score").asDouble();
        }
        return scores;
    }

    private static List<String> tokens(JsonNode tokenizer) {
        JsonNode vocab = tokenizer.at("/model/vocab");
        List<String> tokens = new ArrayList<>(Collections.nCopies(vocab.size(), ""));
        vocab.forEachEntry((token, id) -> tokens.set(id.asInt(), token));
        return tokens;
    }

    private static List<String> merges(JsonNode tokenizer) {
        return tokenizer.at("/model/merges").values().stream()
                .map(m -> m.path(0).asString() + " " + m.path(1).asString())
                .toList();
    }
}
