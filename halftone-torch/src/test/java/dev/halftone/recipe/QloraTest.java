package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.Config;
import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.EvalTask;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.GenerateConfig;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufImport;
import dev.halftone.metrics.JsonlMetrics;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.torch.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/// Adapters over bases that stay packed.
class QloraTest {
    private static final String INT4 = "{_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32}";

    @TempDir
    Path dir;

    private Path data;

    @BeforeEach
    void writeData() {
        TinyRun.oneThread();
        data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
    }

    @ParameterizedTest
    @ValueSource(strings = {"f32", "bf16"})
    void lossesAndGradientNormsAreThoseOfTorchaosNf4(String name) {
        JsonNode golden = Json.readObject(Golden.path("qlora/curves.json")).at("/runs/" + name);
        boolean bf16 = name.equals("bf16");
        FinetuneRecipe.Result result = Recipes.lora(
                config(Golden.path("qlora/model"), "run", """
                        optimizer: {_component_: AdamW, lr: 1e-2, weight_decay: 0.01}
                        model: {quantize_base: true}
                        lora_alpha: 16
                        dtype: %s
                        adapter_dir: %s
                        """.formatted(
                                bf16 ? "bf16" : "fp32", Golden.path("qlora/adapter"))),
                Events.NONE);

        List<JsonlMetrics.Row> rows = rows("run");
        assertThat(rows).hasSize(golden.get("loss").size());
        for (int step = 0; step < rows.size(); step++) {
            Map<String, Double> row = rows.get(step).values();
            double loss = bf16 ? (step == 0 ? 1e-2 : 3e-2) : 1e-4;
            assertThat(row.get("loss")).isCloseTo(golden.at("/loss/" + step).doubleValue(), within(loss));
            assertThat(row.get("grad_norm"))
                    .isCloseTo(golden.at("/grad_norm/" + step).doubleValue(), within(bf16 ? 5e-2 : loss));
        }
        assertThat(result.mergeDrift().sqnrDb()).isGreaterThan(bf16 ? 30 : 100);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "quantize_base: true",
                "base_quantizer: {_component_: IntxWeightOnlyConfig, weight_dtype: int4, groupsize: 32}",
                "base_quantizer: {_component_: Int4WeightOnlyConfig, group_size: 32}",
                "base_quantizer: {_component_: GGUFWeightOnlyConfig, type: Q4_1}",
                "base_quantizer: {_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 32}",
            })
    void aPackedBaseTrains(String base) {
        // One batch, again and again, so that its loss must fall.
        String keys = base + "\n" + """
                dtype: fp32
                optimizer: {_component_: AdamW, lr: 1e-2}
                epochs: 6
                max_steps_per_epoch: 1
                save_adapter_weights_only: true
                """;
        Recipes.lora(config(TinyRun.golden("model"), "run", keys), Events.NONE);
        assertThat(losses("run").getLast()).isLessThan(losses("run").getFirst() - 0.1);
    }

    @Test
    void keysThatSaveMemoryChangeNoLoss() {
        String keys = "quantize_base: true\ndtype: fp32\nsave_adapter_weights_only: true\n";
        Recipes.lora(config(TinyRun.golden("model"), "plain", keys), Events.NONE);
        Recipes.lora(
                config(TinyRun.golden("model"), "saving", keys + "enable_activation_checkpointing: true\n"),
                Events.NONE);
        assertThat(losses("saving")).isEqualTo(losses("plain"));
    }

    @Test
    void anArtifactIsABaseAndGivesWhatPackingItsModelGives() {
        Path artifact = dir.resolve("artifact");
        String yaml = "checkpoint_dir: %s\noutput_dir: %s\ndtype: fp32\nquantizer: %s\n"
                .formatted(TinyRun.golden("model"), artifact, INT4);
        Recipes.quantize(bind(yaml, QuantizeConfig.class), Events.NONE);
        FinetuneRecipe.Result over = Recipes.lora(config(artifact, "over", "dtype: fp32\n"), Events.NONE);
        Recipes.lora(
                config(TinyRun.golden("model"), "packed", "dtype: fp32\nbase_quantizer: %s\n".formatted(INT4)),
                Events.NONE);
        assertThat(losses("over")).isEqualTo(losses("packed"));
        // What the run leaves is a float model like any other.
        try (CausalLm merged = Checkpoints.loadFloat(over.model(), DType.F32, DType.F32, Device.CPU)) {
            assertThat(merged.namedWeights().values()).noneMatch(FrozenWeight.class::isInstance);
        }
        assertThatThrownBy(() -> Recipes.lora(config(artifact, "twice", "quantize_base: true\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("quantized already");
    }

    @ParameterizedTest
    @ValueSource(strings = {"tiny_llama", "tiny_llama3", "tiny_qwen2", "tiny_qwen3"})
    void aGgufFileComputesWhatItsImportDoes(String name) {
        Path gguf = Golden.path("gguf/%s.gguf".formatted(name));
        Path folder = dir.resolve(name);
        GgufImport.run(gguf, folder, DType.BF16, false);
        Tokens tokens = Tokens.of(1, 5, 7, 11, 200);
        try (CausalLm packed = Checkpoints.load(gguf, DType.BF16, Device.CPU);
                CausalLm imported = Checkpoints.load(folder, DType.BF16, Device.CPU)) {
            assertThat(packed.namedWeights().values()).anyMatch(FrozenWeight.class::isInstance);
            assertThat(packed.namedWeights().keySet())
                    .isEqualTo(imported.namedWeights().keySet());
            assertThat(Certificate.logits(packed, tokens)).isEqualTo(Certificate.logits(imported, tokens));
        }
    }

    @Test
    void aGgufFileIsTrainedOverEvaluatedAndGeneratedFromAsItStands() throws IOException {
        Path gguf = Golden.path("gguf/tiny_llama.gguf");
        Path folder = dir.resolve("folder");
        GgufImport.run(gguf, folder, DType.F32, false);
        FinetuneRecipe.Result over = Recipes.lora(config(gguf, "over", "dtype: fp32\n"), Events.NONE);
        Recipes.lora(config(folder, "imported", "dtype: fp32\n"), Events.NONE);
        assertThat(losses("over")).isEqualTo(losses("imported"));
        assertThat(Json.readObject(over.adapter().resolve("adapter_config.json"))
                        .path("base_model_name_or_path")
                        .asString())
                .isEqualTo(gguf.toString());
        assertThat(over.model().resolve("tokenizer.json")).exists();
        assertThat(Files.readAllBytes(over.model().resolve("model.safetensors")))
                .isEqualTo(Files.readAllBytes(dir.resolve("imported/epoch_0/model.safetensors")));

        Path text = Files.writeString(dir.resolve("text.txt"), "The quick brown fox jumps over 12 lazy dogs.");
        String eval = "checkpoint_dir: %s\ndata_files: ['%s']\ndtype: fp32\nmax_seq_len: 32\n";
        assertThat(word(eval.formatted(gguf, text))).isEqualTo(word(eval.formatted(folder, text)));
        // The delta is added to what each block stands for, as it is to the imported weights.
        String adapted = eval.formatted(gguf, text) + "adapter_dir: %s\n".formatted(over.adapter());
        assertThat(word(adapted)).isEqualTo(word(eval.formatted(over.model(), text)));
        String generate = "checkpoint_dir: %s\nprompt: Hello\nmax_new_tokens: 8\ntemperature: 0\ndtype: fp32\n";
        assertThat(Recipes.generate(bind(generate.formatted(gguf), GenerateConfig.class), Events.NONE)
                        .text())
                .isEqualTo(Recipes.generate(bind(generate.formatted(folder), GenerateConfig.class), Events.NONE)
                        .text());
    }

    private static double word(String yaml) {
        return Recipes.eval(bind(yaml, EvalConfig.class), Events.NONE)
                .tasks()
                .get(EvalTask.PERPLEXITY)
                .total()
                .wordPerplexity();
    }

    @Test
    void aRunThatWasStoppedOverAPackedBaseGoesOnAsIfItHadNot() {
        String keys = "quantize_base: true\ndtype: bf16\nsave_every_n_steps: 4\nepochs: 2\nmax_steps_per_epoch: 4\n";
        Recipes.lora(config(TinyRun.golden("model"), "through", keys), Events.NONE);
        Recipes.lora(config(TinyRun.golden("model"), "resumed", keys.replace("epochs: 2", "epochs: 1")), Events.NONE);
        Recipes.lora(config(TinyRun.golden("model"), "resumed", keys + "resume_from_checkpoint: true\n"), Events.NONE);
        assertThat(losses("resumed")).isEqualTo(losses("through"));
    }

    @Test
    void whatPackedWeightsCannotDoIsRefusedByName() {
        assertRefused("lora_rank: 8\nquantize_base: true\nuse_dora: true\n", "use_dora");
        assertRefused("lora_rank: 8\nquantize_base: true\ntrain_base: true\n", "train_base");
        assertRefused("lora_rank: 8\nquantize_base: true\nlora_form: merged\n", "lora_form=merged");
        assertRefused("lora_rank: 8\nquantize_base: true\nbase_quantizer: %s\n".formatted(INT4), "Remove one of them");
        assertRefused(
                "lora_rank: 8\nbase_quantizer: {_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4}\n",
                "more than weights");
        assertThatThrownBy(() -> Recipes.lora(
                        config(Golden.path("gguf/tiny_llama.gguf"), "dora", "use_dora: true\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("use_dora=false");
        assertThatThrownBy(() -> Recipes.lora(
                        config(Golden.path("gguf/tiny_llama.gguf"), "base", "train_base: true\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("train_base=false");
        assertThatThrownBy(() -> Recipes.qatLora(
                        config(Golden.path("gguf/tiny_llama.gguf"), "qat", "quantizer: %s\n".formatted(INT4)),
                        Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("halftone import");
        assertThatThrownBy(() -> Recipes.qatLora(
                        config(TinyRun.golden("model"), "qat", "quantize_base: true\nquantizer: %s\n".formatted(INT4)),
                        Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("quantize_base: the recipe qat_lora");
    }

    private void assertRefused(String keys, String message) {
        assertThatThrownBy(() -> config(TinyRun.golden("model"), "refused", keys.replace("lora_rank: 8\n", "")))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    private FinetuneConfig config(Path model, String run, String keys) {
        String yaml = TinyRun.yaml(dir.resolve(run), model, data);
        if (keys.contains("optimizer:")) {
            yaml = yaml.replaceAll("optimizer: .*\n", "");
        }
        return bind(yaml + "batch_size: 4\nlora_rank: 8\n" + keys, FinetuneConfig.class);
    }

    private static <R extends Record> R bind(String yaml, Class<R> type) {
        return Config.parse("test", yaml, List.of()).bind(type).value();
    }

    private List<Double> losses(String run) {
        return rows(run).stream().map(r -> r.values().get("loss")).toList();
    }

    private List<JsonlMetrics.Row> rows(String run) {
        return JsonlMetrics.read(dir.resolve(run).resolve("metrics.jsonl"));
    }
}
