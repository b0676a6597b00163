package dev.halftone.tokenizer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.halftone.Golden;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Forty strings through five small tokenizers and SmolLM2's, against Hugging Face's tokenizers in Python.
class TokenizerGoldenTest {
    private static final JsonMapper JSON = JsonMapper.shared();

    @ParameterizedTest
    @ValueSource(
            strings = {"bytelevel_gpt2", "bytelevel_llama3", "bytelevel_digits", "metaspace_fallback", "sentencepiece"})
    void smallTokenizersMatchPython(String name) {
        Path folder = Golden.path("tokenizer/" + name);
        JsonNode golden = JSON.readTree(folder.resolve("cases.json"));
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            assertThat(tokenizer.vocabSize()).isEqualTo(golden.get("vocab_size").asInt());
            matchesPython(tokenizer, golden);
        }
    }

    @Test
    void smolLm2MatchesPython() {
        Path folder = Path.of(System.getProperty("halftone.root"), "models", "SmolLM2-135M-Instruct");
        assumeTrue(Files.exists(folder.resolve("tokenizer.json")), "the real model is not in models/");
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            assertThat(tokenizer.vocabSize()).isEqualTo(49152);
            assertThat(tokenizer.bosId()).hasValue(1);
            assertThat(tokenizer.eosId()).hasValue(2);
            matchesPython(
                    tokenizer, JSON.readTree(Golden.path("tokenizer/smollm2").resolve("cases.json")));
        }
    }

    private static void matchesPython(Tokenizer tokenizer, JsonNode golden) {
        for (JsonNode c : golden.get("cases")) {
            String text = c.get("text").asString();
            int[] ids = ints(c.get("ids"));
            assertThat(tokenizer.encode(text, false)).as("ids of '%s'", text).isEqualTo(ids);
            assertThat(tokenizer.encode(text, true))
                    .as("with special, '%s'", text)
                    .isEqualTo(ints(c.get("with_special")));
            assertThat(tokenizer.decode(ids, false))
                    .as("decoded '%s'", text)
                    .isEqualTo(c.get("decoded").asString());
            assertThat(tokenizer.decode(ids, true))
                    .as("decoded without special tokens, '%s'", text)
                    .isEqualTo(c.get("decoded_skip_special").asString());
            assertThat(streamed(tokenizer, ids, false))
                    .as("streamed '%s'", text)
                    .isEqualTo(c.get("decoded").asString());
            offsetsMatch(tokenizer.encodeWithOffsets(text, false), text, c);
        }
    }

    private static void offsetsMatch(Encoding encoding, String text, JsonNode golden) {
        assertThat(encoding.ids()).isEqualTo(ints(golden.get("ids")));
        for (int i = 0; i < encoding.length(); i++) {
            JsonNode codePoints = golden.get("offsets").get(i);
            int start = text.offsetByCodePoints(0, codePoints.get(0).asInt());
            int end = text.offsetByCodePoints(0, codePoints.get(1).asInt());
            assertThat(new int[] {encoding.starts()[i], encoding.ends()[i]})
                    .as("offsets of token %d of '%s'", i, text)
                    .containsExactly(start, end);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"bytelevel_gpt2", "bytelevel_llama3", "bytelevel_digits", "metaspace_fallback", "sentencepiece"})
    void streamedPiecesOfRandomIdsConcatenateToTheWholeText(String name) {
        Random random = new Random(7);
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/" + name))) {
            for (int trial = 0; trial < 500; trial++) {
                int bound = trial % 2 == 0 ? tokenizer.vocabSize() : 270;
                int[] ids = IntStream.range(0, 1 + random.nextInt(20))
                        .map(i -> random.nextInt(bound))
                        .toArray();
                boolean skip = random.nextBoolean();
                assertThat(streamed(tokenizer, ids, skip))
                        .as("ids %s, skip %s", List.of(IntStream.of(ids).boxed().toArray()), skip)
                        .isEqualTo(tokenizer.decode(ids, skip));
            }
        }
    }

    @Test
    void streamedPiecesNeverEndInHalfACharacter() {
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/bytelevel_gpt2"))) {
            int[] ids = tokenizer.encode("日本 😀👩‍👩‍👧‍👦 é", false);
            StreamingDecoder decoder = tokenizer.streamingDecoder(false);
            for (int id : ids) {
                assertThat(decoder.add(id)).doesNotContain("\uFFFD");
            }
            assertThat(decoder.finish()).isEmpty();
        }
    }

    @Test
    void streamingGivesWordsAsTheyCome() {
        try (Tokenizer tokenizer = Tokenizers.load(Golden.path("tokenizer/metaspace_fallback"))) {
            StreamingDecoder decoder = tokenizer.streamingDecoder(true);
            List<String> pieces = IntStream.of(tokenizer.encode("Hello world", true))
                    .mapToObj(decoder::add)
                    .toList();
            assertThat(pieces).containsExactly("", "H", "e", "ll", "o", " world");
        }
    }

    private static String streamed(Tokenizer tokenizer, int[] ids, boolean skipSpecialTokens) {
        StreamingDecoder decoder = tokenizer.streamingDecoder(skipSpecialTokens);
        StringBuilder text = new StringBuilder();
        for (int id : ids) {
            text.append(decoder.add(id));
        }
        return text.append(decoder.finish()).toString();
    }

    private static int[] ints(JsonNode array) {
        return array.valueStream().mapToInt(JsonNode::asInt).toArray();
    }
}
