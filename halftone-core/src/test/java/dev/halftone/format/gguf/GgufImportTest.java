package dev.halftone.format.gguf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

class GgufImportTest {
    private @TempDir Path dir;

    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama3", "qwen2", "qwen3"})
    void theImportIsTheCheckpointThatWasConverted(String name) {
        GgufImport.Summary summary = GgufImport.run(gguf(name), dir.resolve("out"), DType.F32, false);
        try (HfFolder actual = HfFolder.open(dir.resolve("out"));
                SafetensorsFile expected = SafetensorsFile.open(Golden.path("gguf/tiny_" + name + ".safetensors"))) {
            assertThat(actual.tensorNames())
                    .containsExactlyInAnyOrderElementsOf(expected.tensors().keySet());
            assertThat(summary.tensors()).isEqualTo(expected.tensors().size());
            for (String tensor : actual.tensorNames()) {
                assertThat(actual.info(tensor).shape())
                        .isEqualTo(expected.info(tensor).shape());
                assertThat(actual.data(tensor).mismatch(expected.data(tensor)))
                        .as(tensor)
                        .isEqualTo(-1);
            }
            ObjectNode config = Json.readObject(Golden.path("gguf/tiny_" + name + ".json"));
            for (String key : List.of(
                    "model_type",
                    "hidden_size",
                    "intermediate_size",
                    "num_hidden_layers",
                    "num_attention_heads",
                    "num_key_value_heads",
                    "vocab_size",
                    "max_position_embeddings",
                    "rms_norm_eps",
                    "hidden_act",
                    "tie_word_embeddings")) {
                assertThat(actual.config().get(key).toString())
                        .as(key)
                        .isEqualTo(config.get(key).toString());
            }
            for (String key : List.of("attention_bias", "mlp_bias", "head_dim", "bos_token_id", "eos_token_id")) {
                if (actual.config().has(key)) {
                    assertThat(actual.config().get(key)).as(key).isEqualTo(config.get(key));
                }
            }
            assertThat(actual.config().path("torch_dtype").asString()).isEqualTo("float32");
            ObjectNode rope = (ObjectNode) config.get("rope_parameters");
            assertThat(actual.config().path("rope_theta")).isEqualTo(rope.remove("rope_theta"));
            assertThat(actual.config().get("rope_scaling").isNull()).isEqualTo(rope.size() == 1);
            if (rope.size() > 1) {
                assertThat(actual.config().get("rope_scaling")).isEqualTo(rope);
            }
        }
    }

    @Test
    void bfloat16IsTheNearestToTheDequantizedValue() {
        GgufImport.run(gguf("llama"), dir.resolve("out"), DType.BF16, false);
        try (HfFolder actual = HfFolder.open(dir.resolve("out"));
                SafetensorsFile expected = SafetensorsFile.open(Golden.path("gguf/tiny_llama.safetensors"))) {
            for (String tensor : actual.tensorNames()) {
                assertThat(actual.info(tensor).dtype()).isEqualTo(DType.BF16);
                MemorySegment a = actual.data(tensor);
                MemorySegment e = expected.data(tensor);
                for (long i = 0; i < expected.info(tensor).elements(); i++) {
                    double exact = e.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i);
                    int bits = a.getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i);
                    double error = Math.abs(Float.intBitsToFloat(bits << 16) - exact);
                    // Beside 0 lies a NaN, which is not nearer either.
                    assertThat(Math.abs(Float.intBitsToFloat(bits + 1 << 16) - exact) < error)
                            .isFalse();
                    assertThat(Math.abs(Float.intBitsToFloat(bits - 1 << 16) - exact) < error)
                            .isFalse();
                }
            }
            assertThat(actual.config().path("torch_dtype").asString()).isEqualTo("bfloat16");
        }
    }

    @ParameterizedTest
    @CsvSource({"llama, bytelevel_digits", "llama3, bytelevel_llama3"})
    void theRebuiltTokenizerGivesTheSameIdsAndTexts(String name, String tokenizer) {
        GgufImport.run(gguf(name), dir.resolve("out"), DType.BF16, false);
        Tokenizer rebuilt = Tokenizers.load(dir.resolve("out"));
        for (JsonNode c : cases(tokenizer)) {
            String text = c.path("text").asString();
            assertThat(rebuilt.encode(text, false)).as(text).isEqualTo(ints(c.path("ids")));
            assertThat(rebuilt.encode(text, true)).as(text).isEqualTo(ints(c.path("with_special")));
            assertThat(rebuilt.decode(ints(c.path("ids")), false))
                    .isEqualTo(c.path("decoded").asString());
            assertThat(rebuilt.decode(ints(c.path("ids")), true))
                    .isEqualTo(c.path("decoded_skip_special").asString());
        }
    }

    @Test
    void qwen2SplitsAsTransformersDoes() throws IOException {
        GgufImport.run(gguf("qwen2"), dir.resolve("out"), DType.BF16, false);
        Tokenizer rebuilt = Tokenizers.load(dir.resolve("out"));
        ArrayNode expected = (ArrayNode)
                Json.parseObject("{\"ids\": " + Files.readString(Golden.path("gguf/tiny_qwen2.ids.json")) + "}")
                        .get("ids");
        int i = 0;
        for (JsonNode c : cases("bytelevel_gpt2")) {
            assertThat(rebuilt.encode(c.path("text").asString(), false)).isEqualTo(ints(expected.get(i++)));
        }
    }

    @Test
    void specialTokensAndTheChatTemplateComeAlong() {
        Path out = dir.resolve("out");
        GgufImport.run(gguf("llama"), out, DType.BF16, false);
        ObjectNode config = Json.readObject(out.resolve("tokenizer_config.json"));
        assertThat(config.path("bos_token").asString()).isEqualTo("<|im_start|>");
        assertThat(config.path("eos_token").asString()).isEqualTo("<|im_end|>");
        assertThat(config.path("pad_token").asString()).isEqualTo("<|endoftext|>");
        assertThat(config.at("/added_tokens_decoder/2/special").asBoolean()).isTrue();
        assertThat(config.path("model_max_length").asInt()).isEqualTo(256);
        String template = "{% for m in messages %}{{ m['content'] }}{% endfor %}";
        assertThat(config.path("chat_template").asString()).isEqualTo(template);
        assertThat(out.resolve("chat_template.jinja")).hasContent(template);
        assertThat(Json.readObject(out.resolve("special_tokens_map.json"))
                        .path("eos_token")
                        .asString())
                .isEqualTo("<|im_end|>");
        assertThat(Json.readObject(out.resolve("generation_config.json"))
                        .path("eos_token_id")
                        .asInt())
                .isEqualTo(2);
    }

    @Test
    void theEndOfATurnEndsATextToo() {
        Path out = dir.resolve("out");
        GgufImport.run(gguf("llama3"), out, DType.BF16, false);
        assertThat(Json.readObject(out.resolve("generation_config.json"))
                        .path("eos_token_id")
                        .toString())
                .isEqualTo("[2,0]");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "general.architecture|llama|lxama|architecture 'lxama', which cannot be imported",
                "llama.block_count||llama.blocx_count|no 'llama.block_count'",
                "tokenizer.ggml.pre|smollm|smoxxm|'smoxxm', which is not known",
                "tokenizer.ggml.model|gpt2|bert|of the kind 'bert'",
                "blk.0.ffn_up.weight||blk.0.ffn_ux.weight|no tensor 'blk.0.ffn_up.weight'",
                "output_norm.weight||output_nxrm.weight|no tensor 'output_norm.weight'",
            })
    void whatCannotBeImportedIsNamedAndNothingIsWritten(String at, String from, String to, String reason)
            throws IOException {
        byte[] bytes = Files.readAllBytes(gguf("llama"));
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int key = text.indexOf(at);
        int place = from == null ? key : text.indexOf(from, key + at.length());
        System.arraycopy(to.getBytes(StandardCharsets.ISO_8859_1), 0, bytes, place, to.length());
        Path broken = Files.write(dir.resolve("broken.gguf"), bytes);
        assertThatThrownBy(() -> GgufImport.run(broken, dir.resolve("out"), DType.BF16, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("broken.gguf")
                .hasMessageContaining(reason);
        assertThat(dir.toFile().list()).containsExactly("broken.gguf");
    }

    @Test
    void anExistingFolderIsOnlyReplacedWhenTold() {
        Path out = dir.resolve("out");
        GgufImport.run(gguf("llama"), out, DType.BF16, false);
        assertThatThrownBy(() -> GgufImport.run(gguf("llama"), out, DType.BF16, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("not empty");
        assertThat(GgufImport.run(gguf("llama"), out, DType.F32, true).dtype()).isEqualTo(DType.F32);
        assertThatThrownBy(() -> GgufImport.run(gguf("llama"), out, DType.I8, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("dtype");
    }

    private static Path gguf(String name) {
        return Golden.path("gguf/tiny_" + name + ".gguf");
    }

    private static Iterable<JsonNode> cases(String tokenizer) {
        return Json.readObject(Golden.path("tokenizer/" + tokenizer + "/cases.json"))
                .path("cases")
                .values();
    }

    private static int[] ints(JsonNode ids) {
        return ids.values().stream().mapToInt(JsonNode::asInt).toArray();
    }
}
