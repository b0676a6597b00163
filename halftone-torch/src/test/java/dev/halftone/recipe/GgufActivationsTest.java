package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import dev.halftone.TinyModels;
import dev.halftone.config.Config;
import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.EvalTask;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.eval.Perplexity;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// llama.cpp's 8-bit inputs from the configuration to the file and back.
class GgufActivationsTest {
    @TempDir
    private Path dir;

    private Path model;
    private Path text;

    @BeforeEach
    void write() throws IOException {
        TinyRun.oneThread();
        model = TinyModels.write(dir.resolve("model"), "llama", "{}");
        text = Files.writeString(dir.resolve("text.txt"), "We the People of the United States. ".repeat(20));
    }

    @ParameterizedTest
    @ValueSource(strings = {"q4_0", "q4_1", "tq2_0"})
    void anArtifactThatWasTrainedSoAFileAndOneThatWasNotAreMeasuredAlike(String type) throws IOException {
        Path trained = artifact("Int8DynamicActivationGGUFWeightConfig", type);
        Path other = artifact("GGUFWeightOnlyConfig", type);
        Path file = dir.resolve("out.gguf");
        Recipes.export(new ExportConfig(file, trained, ExportFormat.GGUF, false), Events.NONE);
        double expected = perplexity(trained, false);
        assertThat(perplexity(trained, true)).isEqualTo(expected);
        assertThat(perplexity(other, true)).isEqualTo(expected);
        assertThat(perplexity(file, true)).isEqualTo(expected);
        assertThat(perplexity(other, false)).isNotEqualTo(expected).isEqualTo(perplexity(file, false));
        assertThat(Json.readObject(dir.resolve("out.gguf.certificate.json"))
                        .path("scheme")
                        .asString())
                .isEqualTo("q8da-%sw".formatted(type));
    }

    @Test
    void modelsWhoseInputsLlamaCppWouldNotRoundAreRefused() {
        assertThatThrownBy(() -> perplexity(model, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("int8_activations")
                .hasMessageContaining("Leave it out");
    }

    private Path artifact(String component, String type) {
        return TinyModels.quantize(
                model, dir.resolve(component), "{_component_: %s, type: %s}".formatted(component, type), "fp32");
    }

    private double perplexity(Path checkpoint, boolean int8Activations) {
        String yaml = "{checkpoint_dir: '%s', data_files: ['%s'], dtype: fp32, max_seq_len: 64, int8_activations: %s}"
                .formatted(checkpoint, text, int8Activations);
        Perplexity result = Recipes.eval(
                        Config.parse("test", yaml, List.of())
                                .bind(EvalConfig.class)
                                .value(),
                        Events.NONE)
                .tasks()
                .get(EvalTask.PERPLEXITY);
        return Objects.requireNonNull(result).total().wordPerplexity();
    }
}
