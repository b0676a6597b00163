package dev.halftone.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.peft.Adapters;
import dev.halftone.peft.LoraSettings;
import dev.halftone.torch.Device;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

/// Adapters that PEFT wrote, and what it computes with them.
class PeftFoldersTest {
    @TempDir
    Path dir;

    @ParameterizedTest
    @CsvSource({"lora, 4", "rslora, 3", "dora, 6"})
    void anAdapterOfPeftsComputesWhatPeftComputes(String kind, int layers) {
        Path folder = golden("peft").resolve(kind);
        try (CausalLm model = base();
                SafetensorsFile expected = SafetensorsFile.open(folder.resolve("logits.safetensors"))) {
            assertThat(PeftFolders.attach(folder, model)).hasSize(layers);
            float[] logits = floats(expected, "logits");
            float[] separate = logits(model, expected);
            assertThat(separate).hasSameSizeAs(logits);
            for (int i = 0; i < logits.length; i++) {
                assertThat(separate[i]).as("logit %d", i).isCloseTo(logits[i], within(2e-5f));
            }
            Adapters.merge(model);
            assertThat(logits(model, expected)).isEqualTo(separate);
        }
    }

    @ParameterizedTest
    @CsvSource({"lora", "rslora", "dora"})
    void whatIsWrittenSaysWhatPeftsOwnFilesSay(String kind) {
        Path theirs = golden("peft").resolve(kind);
        Path ours = dir.resolve(kind);
        try (CausalLm model = base()) {
            PeftFolders.attach(theirs, model);
            PeftFolders.save(ours, model, Path.of("model"));
        }
        JsonNode expected = Json.readObject(theirs.resolve("adapter_config.json"));
        JsonNode actual = Json.readObject(ours.resolve("adapter_config.json"));
        for (String key : List.of("peft_type", "task_type", "base_model_name_or_path", "r", "bias", "inference_mode")) {
            assertThat(actual.path(key)).as(key).isEqualTo(expected.path(key));
        }
        for (String key : List.of("use_dora", "use_rslora", "fan_in_fan_out")) {
            assertThat(actual.path(key)).as(key).isEqualTo(expected.path(key));
        }
        assertThat(actual.path("lora_alpha").doubleValue())
                .isEqualTo(expected.path("lora_alpha").doubleValue());
        assertThat(actual.path("target_modules").valueStream().map(JsonNode::asString))
                .containsExactlyInAnyOrderElementsOf(expected.path("target_modules")
                        .valueStream()
                        .map(JsonNode::asString)
                        .toList());
        try (SafetensorsFile a = SafetensorsFile.open(ours.resolve("adapter_model.safetensors"));
                SafetensorsFile b = SafetensorsFile.open(theirs.resolve("adapter_model.safetensors"))) {
            // PEFT adds a copy of the head that it adapts.
            assertThat(a.tensors().keySet())
                    .isEqualTo(b.tensors().keySet().stream()
                            .filter(name -> !name.contains("base_layer"))
                            .collect(Collectors.toSet()));
            a.tensors().keySet().forEach(name -> assertThat(floats(a, name)).isEqualTo(floats(b, name)));
        }
    }

    @Test
    void layersOfOneNameThatAreNotAllAdaptedAreNamedByTheirPaths() {
        try (CausalLm model = base()) {
            LoraSettings settings = new LoraSettings(2, 4, false, false, 0, LoraSettings.Form.MERGED);
            Adapters.attach(model, settings, List.of("*.q_proj", "model.layers.1.mlp.up_proj"), 1);
            PeftFolders.save(dir.resolve("some"), model, Path.of("model"));
        }
        assertThat(Json.readObject(dir.resolve("some/adapter_config.json"))
                        .path("target_modules")
                        .valueStream()
                        .map(JsonNode::asString))
                .containsExactly("model.layers.1.mlp.up_proj", "q_proj");
    }

    private static CausalLm base() {
        return Checkpoints.load(golden("curves/model"), DType.F32, Device.CPU);
    }

    private static float[] logits(CausalLm model, SafetensorsFile expected) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            var info = expected.info("ids");
            long[] ids = Torch.longs(Torch.of(expected.data("ids"), info.dtype(), info.shape()));
            int[] tokens = Arrays.stream(ids).mapToInt(Math::toIntExact).toArray();
            return Torch.floats(model.logits(model.hidden(Tokens.of(tokens))));
        }
    }

    private static float[] floats(SafetensorsFile file, String name) {
        try (Scope _ = Scope.open()) {
            var info = file.info(name);
            return Torch.floats(Torch.of(file.data(name), info.dtype(), info.shape()));
        }
    }

    private static Path golden(String name) {
        try {
            return Path.of(Objects.requireNonNull(PeftFoldersTest.class.getResource("/golden/" + name))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }
}
