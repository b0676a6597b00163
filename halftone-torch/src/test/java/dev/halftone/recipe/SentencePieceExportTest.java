package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.TinyModels;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufFile;
import dev.halftone.format.gguf.GgufImport;
import dev.halftone.format.gguf.GgufMetadata;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// GGUF files with SentencePiece's BPE, there and back. What llama.cpp makes of them: [LlamaCppTest].
class SentencePieceExportTest {
    private @TempDir Path dir;

    @Test
    void theFileHasThePiecesOfTheSentencePieceModel() throws IOException {
        Path gguf = export(model(SentencePieces.FOLDER.resolve("tokenizer.json")), "out");
        List<JsonNode> pieces = List.copyOf(Json.readObject(SentencePieces.FOLDER.resolve("pieces.json"))
                .path("pieces")
                .values());
        try (GgufFile file = GgufFile.open(gguf)) {
            GgufMetadata keys = file.metadata();
            List<String> tokens = keys.texts("tokenizer.ggml.tokens").orElseThrow();
            long[] types = keys.wholes("tokenizer.ggml.token_type").orElseThrow();
            double[] scores = keys.reals("tokenizer.ggml.scores").orElseThrow();
            for (int id = 0; id < pieces.size(); id++) {
                JsonNode piece = pieces.get(id);
                assertThat(tokens.get(id)).isEqualTo(piece.path("piece").asString());
                assertThat(types[id])
                        .as(tokens.get(id))
                        .isEqualTo(piece.path("type").asLong());
                assertThat(scores[id])
                        .as(tokens.get(id))
                        .isEqualTo(piece.path("score").asDouble());
            }
            // 620 tokens in a table of 640 rows.
            assertThat(IntStream.range(620, 640)).allMatch(id -> tokens.get(id).equals("[PAD" + id + "]"));
            assertThat(Arrays.stream(types, 620, 640)).containsOnly(5L);
            assertThat(keys.text("tokenizer.ggml.model")).hasValue("llama");
            assertThat(keys.text("tokenizer.ggml.pre")).hasValue("default");
            assertThat(keys.bool("tokenizer.ggml.add_space_prefix")).hasValue(true);
            assertThat(keys.bool("tokenizer.ggml.add_bos_token")).hasValue(true);
            assertThat(keys.whole("tokenizer.ggml.bos_token_id")).hasValue(1L);
            assertThat(keys.whole("tokenizer.ggml.eos_token_id")).hasValue(2L);
            assertThat(keys.whole("tokenizer.ggml.unknown_token_id")).hasValue(0L);
            assertThat(keys.text("tokenizer.chat_template")).hasValue(TinyModels.TEMPLATE);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void importedItIsTheTokenizerAgain(boolean prefixed) throws IOException {
        Path json = SentencePieces.tokenizer(dir, prefixed);
        Path first = export(model(json), "first");
        Path imported = dir.resolve("imported");
        GgufImport.run(first, imported, DType.F32, false);
        ObjectNode before = Json.readObject(json);
        ObjectNode after = Json.readObject(imported.resolve("tokenizer.json"));
        for (String part : List.of("normalizer", "pre_tokenizer", "decoder", "added_tokens")) {
            assertThat(after.path(part)).as(part).isEqualTo(before.path(part));
        }
        try (Tokenizer original = Tokenizers.load(dir.resolve("model"));
                Tokenizer again = Tokenizers.load(imported)) {
            assertThat(again.eosIds()).isEqualTo(original.eosIds());
            for (String text : SentencePieces.texts()) {
                int[] ids = original.encode(text, true);
                assertThat(again.encode(text, true)).as(text).isEqualTo(ids);
                assertThat(again.decode(ids, true)).isEqualTo(original.decode(ids, true));
            }
        }
        Path second = export(imported, "second");
        try (GgufFile a = GgufFile.open(first);
                GgufFile b = GgufFile.open(second)) {
            a.metadata().values().forEach((key, value) -> {
                if (key.startsWith("tokenizer.")) {
                    assertThat(b.metadata().values()).containsEntry(key, value);
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "/model|type|\"Unigram\"|neither byte-level BPE nor SentencePiece's BPE with byte_fallback, but Unigram",
                "/model|byte_fallback|false|neither byte-level BPE nor SentencePiece's",
                "/model|ignore_merges|true|has ignore_merges: true",
                "/model|dropout|0.1|has dropout: 0.1",
                "/model|merges|[[\"▁\", \"t\"]]|does not merge",
                "|pre_tokenizer|{\"type\": \"Metaspace\", \"replacement\": \"▁\", \"prepend_scheme\": \"first\", \"split\": false}|prepares texts as llama.cpp does not",
                "|normalizer|{\"type\": \"NFC\"}|prepares texts as llama.cpp does not",
                "/added_tokens/1|rstrip|true|has rstrip: true in the added token \"<s>\"",
                "/added_tokens/5|normalized|true|has normalized: true in the added token \"[INST]\"",
                "/model/vocab|<0x41>|null|gives '<0x41>' the id null",
                "/added_tokens/5|content|\"<0x41>\"|has no ordinary token '<0x41>'",
            })
    void whatLlamaCppWouldTokenizeOtherwiseIsRefusedByName(String at, String key, String value, String reason)
            throws IOException {
        ObjectNode tokenizer = Json.readObject(SentencePieces.FOLDER.resolve("tokenizer.json"));
        ((ObjectNode) (at == null ? tokenizer : tokenizer.at(at)))
                .set(key, Json.parseObject("{\"v\": " + value + "}").get("v"));
        Path artifact = artifact(model(SentencePieces.FOLDER.resolve("tokenizer.json")), "refused");
        Json.write(artifact.resolve("tokenizer.json"), tokenizer);
        Path out = dir.resolve("out.gguf");
        List<String> told = new ArrayList<>();
        Events events = new Events() {
            @Override
            public void line(String sentence) {
                told.add(sentence);
            }
        };
        assertThatThrownBy(() -> Recipes.export(new ExportConfig(out, artifact, ExportFormat.GGUF, false), events))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("tokenizer.json")
                .hasMessageContaining(reason);
        assertThat(told).as("loaded before it was refused").isEmpty();
        assertThat(out).doesNotExist();
    }

    private Path model(Path tokenizerJson) throws IOException {
        return TinyModels.writeSentencePiece(dir.resolve("model"), "llama", tokenizerJson);
    }

    private Path artifact(Path model, String name) {
        return TinyModels.quantize(
                model,
                dir.resolve(name),
                "{_component_: GGUFWeightOnlyConfig, type: q8_0, exclude: [lm_head]}",
                "fp32");
    }

    private Path export(Path model, String name) {
        Path gguf = dir.resolve(name + ".gguf");
        Recipes.export(new ExportConfig(gguf, artifact(model, name), ExportFormat.GGUF, false), Events.NONE);
        return gguf;
    }
}
