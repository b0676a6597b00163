package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.TestModels;
import dev.halftone.TinyModels;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.gguf.GgufFile;
import dev.halftone.format.gguf.GgufImport;
import dev.halftone.format.gguf.GgufValue;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The real SmolLM2-135M-Instruct that llama.cpp's converter wrote, there and back.
@Tag("integration")
class GgufRoundTripTest {
    /// What the model's card told the converter, and no model folder does.
    private static final List<String> OF_THE_CARD = List.of(
            "general.basename",
            "general.finetune",
            "general.languages",
            "general.license",
            "general.name",
            "general.organization");

    private @TempDir Path dir;

    @Test
    void importedQuantizedAndExportedItHasItsBytesAgain() {
        Path original = TestModels.smolLm2();
        GgufImport.run(original, dir.resolve("model"), DType.F32, false);
        Path artifact = TinyModels.quantize(
                dir.resolve("model"),
                dir.resolve("artifact"),
                "{_component_: GGUFWeightOnlyConfig, type: q4_1, exclude: [lm_head]}",
                "fp32");
        Path exported = dir.resolve("out.gguf");
        Recipes.export(new ExportConfig(exported, artifact, ExportFormat.GGUF, false), Events.NONE);
        try (GgufFile before = GgufFile.open(original);
                GgufFile after = GgufFile.open(exported)) {
            assertThat(after.tensors().keySet())
                    .containsExactlyInAnyOrderElementsOf(before.tensors().keySet());
            before.tensors().forEach((name, tensor) -> {
                assertThat(after.info(name).shape()).isEqualTo(tensor.shape());
                if (name.equals("token_embd.weight")) {
                    // The table was in Q8_0, and is not quantized here: its values are the same.
                    assertThat(after.info(name).typeName()).isEqualTo("F32");
                    assertThat(after.dequantize(name)).isEqualTo(before.dequantize(name));
                } else {
                    assertThat(after.info(name).typeName()).isEqualTo(tensor.typeName());
                    assertThat(after.data(name).mismatch(before.data(name)))
                            .as(name)
                            .isEqualTo(-1);
                }
            });
            Map<String, GgufValue> expected = new HashMap<>(before.metadata().values());
            Map<String, GgufValue> actual = new HashMap<>(after.metadata().values());
            expected.keySet().removeAll(OF_THE_CARD);
            actual.keySet().removeAll(OF_THE_CARD);
            // The imported tokenizer splits as GPT-2's does, which makes no other ids: see PreTokenizer.
            assertThat(actual.remove("tokenizer.ggml.pre")).isEqualTo(GgufValue.of("gpt-2"));
            assertThat(expected.remove("tokenizer.ggml.pre")).isEqualTo(GgufValue.of("smollm"));
            assertThat(actual.keySet()).isEqualTo(expected.keySet());
            actual.forEach((key, value) -> assertThat(value).as(key).isEqualTo(expected.get(key)));
        }
    }
}
