package dev.halftone.config.schema;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.config.Config;
import dev.halftone.config.Ignored;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/// torchtune's own files bind to the records, saying the same as the short form.
class TorchtuneFilesTest {
    private static Config config(String name, String... overrides) throws IOException {
        try (InputStream in =
                Objects.requireNonNull(TorchtuneFilesTest.class.getResourceAsStream("/torchtune/" + name + ".yaml"))) {
            return Config.parse(
                    name + ".yaml", new String(in.readAllBytes(), StandardCharsets.UTF_8), List.of(overrides));
        }
    }

    @Test
    void qatSaysTheSameAsTheShortForm() throws IOException {
        Config.Bound<FinetuneConfig> bound = config(
                        "llama3_8B_qat_full", "dataset.data_files=a.json", "dataset_val.data_files=a.json")
                .bind(FinetuneConfig.class);
        FinetuneConfig expected = Config.parse("short.yaml", """
                        output_dir: /tmp/torchtune/llama3_8B/qat_full
                        checkpoint_dir: /tmp/Meta-Llama-3-8B-Instruct
                        dataset: {_component_: alpaca_dataset, data_files: [a.json], split: "train[:95%]"}
                        dataset_val: {_component_: alpaca_dataset, data_files: [a.json], split: "train[95%:]"}
                        batch_size: 2
                        quantizer: {_component_: Int8DynActInt4WeightQATQuantizer}
                        optimizer: {_component_: AdamW, lr: 2e-5}
                        device: cuda
                        enable_activation_checkpointing: True
                        """, List.of())
                .bind(FinetuneConfig.class)
                .value();
        assertThat(bound.value()).isEqualTo(expected);
        assertThat(bound.value().forQat().quantizer())
                .isInstanceOfSatisfying(
                        IntxQuantizer.Int8DynActInt4Weight.class,
                        q -> assertThat(q.parts().getFirst().scheme())
                                .isEqualTo(new IntxScheme(
                                        4, new Granularity.PerGroup(256), true, Numerics.TORCHAO_LEGACY)));
        assertThat(bound.ignored().stream().map(Ignored::key))
                .contains("model", "tokenizer", "checkpointer.model_type", "compile", "profiler", "metric_logger")
                .doesNotContain("checkpointer.checkpoint_dir", "checkpointer.recipe_checkpoint");
    }

    @Test
    void adaptersStandWhereTorchtuneHasThem() throws IOException {
        String[] overrides = {
            "dataset.data_files=a.json", "checkpointer.output_dir=/tmp/qat_lora_finetune_output", "model.lora_rank=32"
        };
        FinetuneConfig c = config("llama3_2_1B_qat_lora", overrides)
                .bind(FinetuneConfig.class)
                .value()
                .forQatLora();
        assertThat(c.lora().loraRank()).isEqualTo(32);
        assertThat(c.lora().loraAlpha()).isEqualTo(128);
        assertThat(c.lora().globs())
                .containsExactly("*.q_proj", "*.v_proj", "*.o_proj", "*.gate_proj", "*.up_proj", "*.down_proj");
        assertThat(c.saveAdapterWeightsOnly()).isFalse();
    }

    @Test
    void fullOnOneDeviceBinds() throws IOException {
        FinetuneConfig full = config("llama3_2_1B_full_single_device", "dataset.data_files=a.json")
                .bind(FinetuneConfig.class)
                .value()
                .forFull();
        assertThat(full.lrScheduler()).isEqualTo(new LrSchedulerConfig.Cosine(100, 0.5));
        assertThat(full.checkpointDir()).isEqualTo(Path.of("/tmp/Llama-3.2-1B-Instruct"));
        assertThat(full.computeDtype()).isEqualTo(DType.BF16);
    }

    @Test
    void aHubDatasetWithoutFilesSaysSo() throws IOException {
        Config config = config("llama3_2_1B_full_single_device");
        assertThatThrownBy(() -> config.bind(FinetuneConfig.class))
                .hasMessageContaining(
                        "dataset.data_files is missing: local .json or .jsonl files, or folders of them (nothing is fetched from a hub)");
    }

    @Test
    void quantizeBinds() throws IOException {
        QuantizeConfig quantize =
                config("quantization").bind(QuantizeConfig.class).value();
        assertThat(quantize.outputDir()).isEqualTo(Path.of("/tmp/torchtune/llama2_7B/quantized"));
        assertThat(quantize.quantizer().parts().getFirst().layers().exclude()).containsExactly("lm_head");
    }

    @Test
    void evalBindsOnceItsTaskIsOneOfOurs() throws IOException {
        assertThatThrownBy(() -> config("eleuther_evaluation").bind(EvalConfig.class))
                .hasMessageContaining("tasks.0: 'truthfulqa_mc2' is not one of perplexity");
        EvalConfig eval = config("eleuther_evaluation", "tasks=[perplexity]", "data_files=[a.txt]")
                .bind(EvalConfig.class)
                .value();
        assertThat(eval.maxSeqLen()).isEqualTo(4096);
        assertThat(eval.dataFiles()).containsExactly(Path.of("a.txt"));
    }

    @Test
    void generateBinds() throws IOException {
        GenerateConfig generate =
                config("generation").bind(GenerateConfig.class).value();
        assertThat(generate.prompt()).isEqualTo(new PromptConfig(null, null, "Tell me a joke."));
        assertThat(generate.topK()).isEqualTo(300);
    }
}
