package dev.halftone.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.format.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

class ModelCasesTest {
    @TempDir
    private Path dir;

    private static Path golden(String name) throws Exception {
        return Path.of(ModelCasesTest.class.getResource("/golden/" + name).toURI());
    }

    private Path altered(String key, Object value) throws Exception {
        Path source = golden("hf/llama_gqa");
        for (String file : List.of("model.safetensors", "io.safetensors")) {
            Files.copy(source.resolve(file), dir.resolve(file));
        }
        ObjectNode config = Json.readObject(source.resolve("config.json"));
        Json.write(dir.resolve("config.json"), config.putPOJO(key, value));
        return dir;
    }

    @Test
    void everyModelComputesWhatTransformersComputes() throws Exception {
        List<CaseResult> results = ModelCases.run(golden("hf"));
        assertThat(results)
                .extracting(CaseResult::name)
                .containsExactly(
                        "llama3_rope_scaling",
                        "llama_bias",
                        "llama_gqa",
                        "llama_plain",
                        "llama_tied",
                        "llama_yarn",
                        "mistral_sliding",
                        "olmo2",
                        "qwen2",
                        "qwen3",
                        "smollm3");
        assertThat(results)
                .allSatisfy(r -> assertThat(r.status()).as(r.toString()).isEqualTo(Status.PASSED));
    }

    @Test
    void aModelThatComputesSomethingElseSaysWhatAndByHowMuch() throws Exception {
        List<CaseResult> results = ModelCases.run(altered("rms_norm_eps", 0.1));
        assertThat(results).singleElement().satisfies(r -> {
            assertThat(r.status()).isEqualTo(Status.DIFFERS);
            assertThat(r.maxError()).isGreaterThan(2e-5);
            assertThat(r.detail()).contains("logits", "loss", "gradients", "tolerance");
        });
    }

    @Test
    void aFamilyThatIsNotThereYetIsUnsupported() throws Exception {
        assertThat(ModelCases.run(altered("model_type", "gemma2")))
                .singleElement()
                .satisfies(r -> {
                    assertThat(r.status()).isEqualTo(Status.UNSUPPORTED);
                    assertThat(r.detail()).contains("gemma2");
                });
    }

    @Test
    void aFolderWithoutCasesIsTheUsersMistake() {
        assertThatThrownBy(() -> ModelCases.run(dir)).isInstanceOf(InputException.class);
    }
}
