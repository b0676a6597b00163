package dev.halftone.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.conformance.ModelCases;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.Device;
import dev.halftone.torch.Torch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.node.ObjectNode;

class ModelsTest {
    @TempDir
    Path dir;

    private static Path golden(String name) {
        try {
            return Path.of(ModelsTest.class
                            .getResource("/golden/hf/" + name + "/config.json")
                            .toURI())
                    .getParent();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    /// A copy of a golden model with another configuration or other tensors.
    private Path altered(String name, Consumer<ObjectNode> config, UnaryOperator<List<Entry>> tensors)
            throws Exception {
        ObjectNode json = Json.readObject(golden(name).resolve("config.json"));
        config.accept(json);
        Json.write(dir.resolve("config.json"), json);
        try (SafetensorsFile file = SafetensorsFile.open(golden(name).resolve("model.safetensors"))) {
            List<Entry> entries = new ArrayList<>();
            file.tensors()
                    .forEach((n, info) -> entries.add(new Entry(n, info.dtype(), info.shape(), () -> file.data(n))));
            SafetensorsWriter.write(dir.resolve("model.safetensors"), Map.of(), tensors.apply(entries));
        }
        Files.copy(golden(name).resolve("io.safetensors"), dir.resolve("io.safetensors"));
        return dir;
    }

    private static CausalLm load(Path folder) {
        return Models.load(folder, DType.F32, Device.CPU);
    }

    @Test
    void modulePathsAreTheTensorNamesOfTheCheckpoint() {
        for (String name : List.of("llama_bias", "llama_gqa", "llama_tied")) {
            try (HfFolder folder = HfFolder.open(golden(name))) {
                assertThat(Models.load(folder, DType.F32, Device.CPU)
                                .namedParameters()
                                .keySet())
                        .containsExactlyInAnyOrderElementsOf(folder.tensorNames());
            }
        }
    }

    @Test
    void tiedEmbeddingsShareOneParameter() {
        CausalLm model = load(golden("llama_tied"));
        assertThat(model.head().weight()).isSameAs(model.namedParameters().get("model.embed_tokens.weight"));
    }

    @Test
    void weightsAreConvertedToTheDtypeAskedFor() {
        CausalLm model = Models.load(golden("llama_gqa"), DType.BF16, Device.CPU);
        assertThat(model.namedParameters().values())
                .allSatisfy(p -> assertThat(p.dtype()).isEqualTo(DType.BF16));
    }

    @Test
    void aMissingTensorIsNamed() throws Exception {
        String name = "model.layers.1.mlp.up_proj.weight";
        Path folder = altered(
                "llama_gqa",
                c -> {},
                tensors -> tensors.stream().filter(t -> !t.name().equals(name)).toList());
        assertThatThrownBy(() -> load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(name)
                .hasMessageContaining("[64, 32]");
    }

    @Test
    void aWrongShapeIsNamedWithTheRightOne() throws Exception {
        Path folder = altered("llama_gqa", c -> c.put("intermediate_size", 48), tensors -> tensors);
        assertThatThrownBy(() -> load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.layers.0.mlp.gate_proj.weight")
                .hasMessageContaining("[64, 32]")
                .hasMessageContaining("[48, 32]");
    }

    @Test
    void aTensorThatTheModelDoesNotHaveIsNamed() throws Exception {
        Path folder = altered("llama_bias", c -> c.put("mlp_bias", false), tensors -> tensors);
        assertThatThrownBy(() -> load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("model.layers.0.mlp.");
    }

    @Test
    void storedRotaryFrequenciesAndATiedHeadMayBeLeftOver() throws Exception {
        Path folder = altered("llama_tied", c -> {}, tensors -> {
            Entry any = tensors.getFirst();
            List<Entry> more = new ArrayList<>(tensors);
            for (String name : List.of("lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq")) {
                more.add(new Entry(name, any.dtype(), any.shape(), any.data()));
            }
            return more;
        });
        assertThat(load(folder).config().tied()).isTrue();
    }

    @Test
    void anUnknownFamilyIsNamedBesideTheKnownOnes() throws Exception {
        Path folder = altered("llama_gqa", c -> c.put("model_type", "mamba2"), tensors -> tensors);
        assertThatThrownBy(() -> load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("mamba2")
                .hasMessageContaining("llama");
        assertThat(Models.supports(Json.readObject(folder.resolve("config.json"))))
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "hidden_size | \"wide\"",
                "hidden_size | 0",
                "hidden_size | 33.5",
                "hidden_size | 99999999999999",
                "num_hidden_layers | null",
                "num_key_value_heads | 3",
                "head_dim | 7",
                "hidden_act | \"gelu\"",
                "rms_norm_eps | -1",
                "tie_word_embeddings | 1",
                "rope_parameters | 5",
                "rope_parameters | {\"rope_type\": \"longrope\"}",
                "rope_parameters | {\"rope_type\": \"linear\"}",
                "rope_parameters | {\"rope_type\": \"linear\", \"factor\": \"4\"}",
            })
    void aWrongValueInTheConfigurationIsNamedByItsKey(String key, String value) throws Exception {
        Files.writeString(dir.resolve("value.json"), "{\"value\": %s}".formatted(value));
        Path folder = altered(
                "llama_gqa",
                c -> c.set(key, Json.readObject(dir.resolve("value.json")).get("value")),
                tensors -> tensors);
        assertThatThrownBy(() -> load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(folder.resolve("config.json").toString())
                .hasMessageContaining(key);
    }

    @Test
    void aFreshModelDependsOnItsSeedAlone() {
        ObjectNode config = Json.readObject(golden("llama_bias").resolve("config.json"));
        Map<String, Parameter> one =
                Models.initialise(config, 1, DType.F32, Device.CPU).namedParameters();
        Map<String, Parameter> same =
                Models.initialise(config, 1, DType.F32, Device.CPU).namedParameters();
        Map<String, Parameter> other =
                Models.initialise(config, 2, DType.F32, Device.CPU).namedParameters();
        String matrix = "model.layers.1.mlp.down_proj.weight";
        one.forEach((name, p) -> assertThat(Torch.floats(p.master()))
                .as(name)
                .containsExactly(Torch.floats(same.get(name).master())));
        assertThat(Torch.floats(one.get(matrix).master()))
                .isNotEqualTo(Torch.floats(other.get(matrix).master()));
        assertThat(Torch.floats(one.get("model.norm.weight").master())).containsOnly(1);
        assertThat(Torch.floats(one.get("model.layers.0.self_attn.q_proj.bias").master()))
                .containsOnly(0);
        float[] values = Torch.floats(one.get("model.embed_tokens.weight").master());
        double variance = 0;
        for (float v : values) {
            variance += v * v / values.length;
        }
        assertThat(Math.sqrt(variance))
                .isCloseTo(config.get("initializer_range").doubleValue(), within(0.003));
    }

    @ParameterizedTest
    @CsvSource({"llama3_rope_scaling, rope_type", "llama_yarn, rope_type", "llama_yarn, type", "llama_gqa, type"})
    void rotaryPositionsAreReadInTheLayoutOfTransformers4Too(String name, String typeKey) throws Exception {
        Path folder = altered(
                name,
                c -> {
                    ObjectNode rope = (ObjectNode) c.remove("rope_parameters");
                    c.set("rope_theta", rope.remove("rope_theta"));
                    rope.set(typeKey, rope.remove("rope_type"));
                    c.set("rope_scaling", rope.get(typeKey).stringValue().equals("default") ? null : rope);
                },
                tensors -> tensors);
        assertThat(ModelCases.run(folder))
                .allSatisfy(r -> assertThat(r.status()).isEqualTo(Status.PASSED));
    }
}
