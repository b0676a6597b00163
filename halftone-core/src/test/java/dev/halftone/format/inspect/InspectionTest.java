package dev.halftone.format.inspect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufImport;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class InspectionTest {
    private @TempDir Path dir;

    @Test
    void aSafetensorsFileShowsItsMetadataAndTensors() {
        Inspection found = Inspection.of(Golden.path("safetensors/every_dtype.safetensors"));
        assertThat(found.kind()).isEqualTo("safetensors file");
        assertThat(found.facts()).isEqualTo(Json.object().put("format", "pt"));
        assertThat(found.types())
                .isEqualTo("BF16 1, BOOL 1, F16 1, F32 6, F64 1, F8_E4M3 1, F8_E5M2 1, F8_E8M0 1, "
                        + "I16 1, I32 1, I64 1, I8 1, U16 1, U32 1, U64 1, U8 1");
        assertThat(found.elements()).isEqualTo(16 * 6 + 4);
        assertThat(found.toJson().at("/tensors/0").toString())
                .isEqualTo("{\"name\":\"t.uint64\",\"type\":\"U64\",\"elements\":6,\"bytes\":48,\"shape\":[2,3]}");
    }

    @Test
    void aGgufFileShowsTypesBitsAndMetadata() {
        Inspection found = Inspection.of(Golden.path("gguf/tiny_llama.gguf"));
        assertThat(found.kind()).isEqualTo("GGUF file, version 3");
        assertThat(found.summary().toString())
                .isEqualTo("{\"architecture\":\"llama\",\"parameters\":29792,\"bits_per_weight\":7.34,"
                        + "\"tokenizer\":\"gpt2\",\"tokens\":640,\"chat_template\":true}");
        ObjectNode facts = found.facts();
        assertThat(facts.get("llama.embedding_length").asInt()).isEqualTo(32);
        assertThat(facts.get("llama.attention.layer_norm_rms_epsilon").toString())
                .isEqualTo("1.0E-6");
        assertThat(facts.get("tokenizer.ggml.add_bos_token").asBoolean()).isFalse();
        assertThat(facts.get("tokenizer.ggml.tokens").toString())
                .isEqualTo("{\"length\":640,\"first\":[\"<|endoftext|>\",\"<|im_start|>\",\"<|im_end|>\",\"!\"]}");
        assertThat(found.types()).isEqualTo("BF16 2, F16 2, F32 3, Q4_1 2, Q8_0 2");
        assertThat(found.toJson().at("/facts/general.architecture").asString()).isEqualTo("llama");
    }

    @Test
    void everyMetadataTypeHasItsJson() {
        ObjectNode facts = Inspection.of(Golden.path("gguf/metadata.gguf")).facts();
        assertThat(facts.get("a.u64").asString()).isEqualTo("18446744073709551615");
        assertThat(facts.get("a.i64").asLong()).isEqualTo(Long.MIN_VALUE);
        assertThat(facts.get("a.f32").toString()).isEqualTo("1.0E-5");
        assertThat(facts.get("a.f64").toString()).isEqualTo("0.1");
        assertThat(facts.get("a.ints").toString()).isEqualTo("[1,-2,3]");
        assertThat(facts.get("a.bools").toString()).isEqualTo("[true,false,true]");
        assertThat(facts.get("a.texts").toString()).isEqualTo("[\"\",\"b\",\"ç\"]");
    }

    @Test
    void aFolderShowsParametersFilesAndTokenizer() {
        GgufImport.run(Golden.path("gguf/tiny_llama.gguf"), dir.resolve("m"), DType.BF16, false);
        Inspection found = Inspection.of(dir.resolve("m"));
        assertThat(found.kind()).isEqualTo("Hugging Face folder, 1 weight file");
        assertThat(found.summary().toString())
                .isEqualTo("{\"architecture\":\"LlamaForCausalLM\",\"parameters\":29792,\"bits_per_weight\":16.0,"
                        + "\"weight_files\":1,\"tokenizer\":\"BPE\",\"tokens\":640,\"chat_template\":true}");
        assertThat(found.facts().path("hidden_size").asInt()).isEqualTo(32);
    }

    @Test
    void packedWeightsCountAsTheWeightsThatTheyStandFor() {
        ObjectNode config = Json.object();
        config.putObject("quantization_config")
                .put("quant_method", "compressed-tensors")
                .put("format", "pack-quantized");
        HfWriter.write(
                dir.resolve("m"),
                config,
                List.of(
                        entry("a.weight_packed", DType.I32, new int[8 * 4], 8, 4),
                        entry("a.weight_scale", DType.BF16, new short[8], 8, 1),
                        entry("a.weight_shape", DType.I64, new long[] {8, 32}, 2),
                        entry("norm.weight_scale", DType.F32, new int[3], 3)),
                Long.MAX_VALUE,
                null,
                false);
        Inspection found = Inspection.of(dir.resolve("m"));
        assertThat(found.kind()).isEqualTo("Hugging Face folder, 1 weight file, quantized");
        assertThat(found.summary().path("parameters").asLong()).isEqualTo(8 * 32 + 3);
        assertThat(found.summary().path("quantization").asString()).isEqualTo("compressed-tensors pack-quantized");
        assertThat(found.summary().has("tokenizer")).isFalse();
    }

    @Test
    void whatCannotBeReadIsNamed() throws IOException {
        Path text = Files.writeString(dir.resolve("a.txt"), "x");
        assertThatThrownBy(() -> Inspection.of(text))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("neither a folder nor");
        assertThatThrownBy(() -> Inspection.of(dir.resolve("none")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is not there");
    }

    private static Entry entry(String name, DType dtype, Object array, long... shape) {
        MemorySegment data = switch (array) {
            case int[] a -> MemorySegment.ofArray(a);
            case short[] a -> MemorySegment.ofArray(a);
            case long[] a -> MemorySegment.ofArray(a);
            default -> throw new IllegalArgumentException();
        };
        return new Entry(name, dtype, shape, () -> data);
    }
}
