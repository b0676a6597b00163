package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.SafetensorsWriter;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.metrics.JsonlMetrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// The loss curves of PEFT, and of QAT+LoRA in both forms, run through the recipes from the adapters that those
/// runs began with.
class GoldenLoraCurvesTest {
    private static final JsonNode RUNS =
            Json.readObject(TinyRun.golden("curves.json")).get("runs");

    @TempDir
    Path dir;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "lora_f32",
                "lora_bf16",
                "qatlora_separate_8da4w_g32_f32",
                "qatlora_separate_8da4w_g32_bf16",
                "qatlora_separate_int4sym_g32_f32",
                "qatlora_separate_torchtune_8da4w_g32_f32",
                "qatlora_merged_8da4w_g32_f32",
                "qatlora_merged_8da4w_g32_bf16",
                "qatlora_merged_int4sym_g32_f32",
            })
    void lossesAndGradientNormsMatch(String name) throws IOException {
        JsonNode golden = RUNS.get(name);
        boolean bf16 = name.endsWith("bf16");
        boolean qat = name.startsWith("qat");
        FinetuneConfig config = config(name, golden.get("settings"), bf16 ? "bf16" : "fp32");
        FinetuneRecipe.Result result = qat ? Recipes.qatLora(config, Events.NONE) : Recipes.lora(config, Events.NONE);

        List<JsonlMetrics.Row> rows = JsonlMetrics.read(dir.resolve("run/metrics.jsonl"));
        assertThat(rows).hasSize(golden.get("loss").size());
        for (int step = 0; step < rows.size(); step++) {
            Map<String, Double> row = rows.get(step).values();
            assertThat(row.get("loss"))
                    .as("loss of step %d", step)
                    .isCloseTo(golden.get("loss").get(step).doubleValue(), within(loss(qat, bf16, step)));
            assertThat(row.get("grad_norm"))
                    .as("gradient norm of step %d", step)
                    .isCloseTo(
                            golden.get("grad_norm").get(step).doubleValue(),
                            within(bf16 || (qat && step > 0) ? 5e-2 : loss(qat, bf16, step)));
        }
        assertThat(dir.resolve("run/adapter_0/adapter_model.safetensors")).exists();
        if (qat) {
            // What was trained merged is what is shipped; what was trained apart nothing can ship.
            assertThat(result.mergeDrift().maxAbsDiff() == 0).isEqualTo(name.contains("merged"));
            assertThat(result.certificate().outputs().maxAbsDiff()).isZero();
        }
    }

    /// As [GoldenCurvesTest]'s.
    private static double loss(boolean qat, boolean bf16, int step) {
        if (bf16) {
            return step == 0 ? 1e-2 : 3e-2;
        }
        return !qat ? 1e-4 : step == 0 ? 1e-5 : 2e-2;
    }

    private FinetuneConfig config(String name, JsonNode settings, String dtype) throws IOException {
        Path data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
        String rest = "include: ['*'], exclude: [lm_head], gradient_rule: open}\n";
        String yaml = TinyRun.yaml(dir.resolve("run"), TinyRun.golden("model"), data)
                + "dtype: %s\nbatch_size: 4\nlora_rank: 8\nlora_alpha: 16\nadapter_dir: %s\n"
                        .formatted(dtype, adapter())
                + switch (settings.get("scheme").asString("")
                        + (name.contains("torchtune") ? " of torchao 0.10" : "")) {
                    case "8da4w of torchao 0.10" ->
                        "quantizer: {_component_: Int8DynActInt4WeightQATQuantizer, groupsize: 32, "
                                + rest.replace("open", "identity");
                    case "8da4w" ->
                        "quantizer: {_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, groupsize: 32, "
                                + rest;
                    case "int4sym" ->
                        "quantizer: {_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32, " + rest;
                    default -> "";
                }
                + (name.contains("separate") ? "lora_form: separate\n" : "");
        return Config.parse("test", yaml, List.of()).bind(FinetuneConfig.class).value();
    }

    /// The golden factors as a folder of PEFT's.
    private Path adapter() throws IOException {
        Path folder = Files.createDirectories(dir.resolve("init"));
        Json.write(
                folder.resolve("adapter_config.json"),
                Json.object()
                        .put("peft_type", "LORA")
                        .put("r", 8)
                        .put("lora_alpha", 16.0)
                        .put("use_rslora", false)
                        .put("use_dora", false));
        try (SafetensorsFile file = SafetensorsFile.open(TinyRun.golden("lora_init.safetensors"))) {
            List<SafetensorsWriter.Entry> entries = new ArrayList<>();
            for (TensorInfo info : file.tensors().values()) {
                entries.add(new SafetensorsWriter.Entry(
                        "base_model.model." + info.name() + ".weight",
                        info.dtype(),
                        info.shape(),
                        () -> file.data(info.name())));
            }
            SafetensorsWriter.write(folder.resolve("adapter_model.safetensors"), Map.of("format", "pt"), entries);
        }
        return folder;
    }
}
