package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.metrics.JsonlMetrics;
import dev.halftone.torch.ProcessMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class FinetuneRecipeTest {
    private static final String QUANTIZER =
            "quantizer: {_component_: IntxWeightOnlyConfig, weight_dtype: int3, groupsize: 32, exclude: []}\n";

    @TempDir
    Path dir;

    private Path data;

    @BeforeEach
    void writeData() {
        data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
    }

    /// Stops a run after so many steps.
    private record StopAfter(long steps) implements Events {
        private static final ThreadLocal<Long> DONE = ThreadLocal.withInitial(() -> 0L);

        @Override
        public void progress(Progress progress) {
            DONE.set(progress.done());
        }

        @Override
        public boolean stopRequested() {
            return DONE.get() >= steps;
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "dtype: fp32\n",
                "dtype: fp32\ncompute_dtype: bf16\n",
                "dtype: bf16\n",
                "dtype: bf16\noptimizer: {_component_: AdamW, lr: 1e-3, bf16_stochastic_round: true}\n",
                "dtype: fp32\nquantizer: {_component_: IntxWeightOnlyConfig, weight_dtype: int3, learned_scales: lsq}\n",
                "dtype: fp32\nquantizer: {_component_: ModelOptQuantizer, config: int8_default_cfg, calibration: mse}\n",
            })
    void aRunThatWasStoppedGoesOnAsIfItHadNot(String precision) {
        // Fake quantization begins after the stop, in the second epoch; batches are accumulated and shuffled.
        String keys = precision + (precision.contains("quantizer") ? "" : QUANTIZER) + """
                fake_quant_after_n_steps: 7
                lr_scheduler: {_component_: get_cosine_schedule_with_warmup, num_warmup_steps: 2}
                clip_grad_norm: 1.0
                batch_size: 2
                gradient_accumulation_steps: 2
                max_steps_per_epoch: 6
                epochs: 2
                shuffle: true
                """;
        Recipes.qat(config("through", keys), Events.NONE);
        assertThatThrownBy(() -> Recipes.qat(config("stopped", keys), new StopAfter(5)))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("Stopped after step 5 of 12")
                .hasMessageContaining("resume_from_checkpoint=true");
        assertThat(dir.resolve("stopped/checkpoints/step_5")).isDirectory();
        assertThatThrownBy(
                        () -> Recipes.qat(config("stopped", keys + "resume_from_checkpoint: true\n"), new StopAfter(8)))
                .isInstanceOf(RunException.class);
        Recipes.qat(config("stopped", keys + "resume_from_checkpoint: true\n"), Events.NONE);

        assertThat(losses("stopped")).hasSize(12).isEqualTo(losses("through"));
        assertThat(bytes("stopped/epoch_1/model.safetensors")).isEqualTo(bytes("through/epoch_1/model.safetensors"));
        assertThat(bytes("stopped/quantized/model.safetensors"))
                .isEqualTo(bytes("through/quantized/model.safetensors"));
    }

    /// Dropout too: its random numbers are the step's.
    @ParameterizedTest
    @ValueSource(strings = {"", "lora_form: separate\nlora_dropout: 0.5\n", "use_dora: true\n"})
    void aRunOfAdaptersThatWasStoppedGoesOnAsIfItHadNot(String form) throws IOException {
        String keys =
                "dtype: fp32\nlora_rank: 4\nmax_steps_per_epoch: 6\n" + QUANTIZER.replace("[]", "[lm_head]") + form;
        Recipes.qatLora(config("through", keys), Events.NONE);
        assertThatThrownBy(() -> Recipes.qatLora(config("stopped", keys), new StopAfter(3)))
                .isInstanceOf(RunException.class);
        Recipes.qatLora(config("stopped", keys + "resume_from_checkpoint: true\n"), Events.NONE);
        assertThat(losses("stopped")).hasSize(6).isEqualTo(losses("through"));
        for (String file : List.of("adapter_0/adapter_model.safetensors", "quantized/model.safetensors")) {
            assertThat(bytes("stopped/" + file)).isEqualTo(bytes("through/" + file));
        }
        assertThatThrownBy(() -> Recipes.qat(config("other", keys), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("Run qat_lora instead");
    }

    @Test
    void savingMemoryChangesNoNumber() {
        String keys = "dtype: fp32\ncompute_dtype: bf16\nmax_steps_per_epoch: 4\n" + QUANTIZER;
        Recipes.qat(config("plain", keys), Events.NONE);
        Recipes.qat(
                config("lean", keys + "enable_activation_checkpointing: true\noptimizer_in_bwd: true\n"), Events.NONE);
        // Norms of the two agree to float32's precision: they are sums of the same squares in another order.
        assertThat(losses("lean").stream().map(row -> row.substring(0, row.lastIndexOf(' '))))
                .hasSize(4)
                .isEqualTo(losses("plain").stream()
                        .map(row -> row.substring(0, row.lastIndexOf(' ')))
                        .toList());
        for (String file : List.of("epoch_0/model.safetensors", "quantized/model.safetensors")) {
            assertThat(bytes("lean/" + file)).isEqualTo(bytes("plain/" + file));
        }
    }

    @Test
    void fakeQuantizationBeginsAtItsStep() {
        Recipes.full(config("float", "dtype: fp32\n"), Events.NONE);
        Recipes.qat(config("delayed", "dtype: fp32\nfake_quant_after_n_steps: 4\n" + QUANTIZER), Events.NONE);
        List<String> plain = losses("float");
        List<String> delayed = losses("delayed");
        assertThat(delayed.subList(0, 4)).isEqualTo(plain.subList(0, 4));
        assertThat(delayed.get(4)).isNotEqualTo(plain.get(4));
    }

    @Test
    void aRunLeavesModelMetricsAndRecord() {
        List<String> lines = new ArrayList<>();
        Events events = new Events() {
            @Override
            public void line(String sentence) {
                lines.add(sentence);
            }
        };
        FinetuneRecipe.Result result = Recipes.full(
                config("run", "dtype: fp32\nepochs: 2\nmax_steps_per_epoch: 3\nlog_every_n_steps: 2\n"), events);
        assertThat(result.steps()).isEqualTo(6);
        assertThat(result.model()).isEqualTo(dir.resolve("run/epoch_1"));
        assertThat(dir.resolve("run/epoch_0/model.safetensors")).exists();
        assertThat(dir.resolve("run/checkpoints")).isDirectoryContaining("glob:**/step_3");
        assertThat(JsonlMetrics.read(dir.resolve("run/metrics.jsonl")))
                .extracting(JsonlMetrics.Row::step)
                .containsExactly(2L, 4L, 6L);
        assertThat(JsonlMetrics.read(dir.resolve("run/metrics.jsonl"))
                        .getFirst()
                        .values()
                        .keySet())
                .containsExactly("loss", "lr", "tokens_per_second_per_gpu", "grad_norm", "peak_memory_active");
        assertThat(dir.resolve("run/tensorboard")).isNotEmptyDirectory();
        JsonNode run = Json.readObject(dir.resolve("run/run.json"));
        assertThat(run.get("status").asString()).isEqualTo("finished");
        assertThat(run.at("/config/optimizer/lr").doubleValue()).isEqualTo(1e-3);
        assertThat(run.at("/data/fingerprint").asString()).hasSize(64);
        assertThat(run.at("/results/loss").doubleValue()).isEqualTo(result.loss());
        assertThat(run.at("/model/parameters").longValue()).isEqualTo(94_528);
        assertThat(run.at("/versions/halftone").asString()).matches("\\d+\\.\\d+\\.\\d+");
        assertThat(lines).anyMatch(l -> l.contains("epoch 2 of 2"));
        try (HfFolder folder = HfFolder.open(result.model())) {
            assertThat(folder.tensorNames()).hasSize(21);
        }
    }

    @Test
    void validationIsMeasuredWhenAskedFor() {
        String keys = "dtype: fp32\nrun_val_every_n_steps: 5\nbatch_size_val: 48\n"
                + "dataset_val: {_component_: tokenized_dataset, data_files: ['%s']}\n".formatted(data);
        Recipes.full(config("run", keys), Events.NONE);
        List<JsonlMetrics.Row> rows = JsonlMetrics.read(dir.resolve("run/metrics.jsonl"));
        assertThat(rows.stream().filter(r -> r.values().containsKey("val_loss")).map(JsonlMetrics.Row::step))
                .containsExactly(5L, 10L);
        assertThat(rows.get(9).values().get("val_loss")).isCloseTo(5.3, within(0.3));
    }

    @Test
    void onlyTheNewestCheckpointsAreKept() {
        Recipes.full(config("run", "dtype: fp32\nsave_every_n_steps: 3\nkeep_last_n_checkpoints: 2\n"), Events.NONE);
        assertThat(dir.resolve("run/checkpoints").toFile().list()).containsExactlyInAnyOrder("step_9", "step_12");
        Recipes.full(config("epochs", "dtype: fp32\nepochs: 3\nkeep_last_n_checkpoints: 1\n"), Events.NONE);
        assertThat(dir.resolve("epochs/epoch_1")).doesNotExist();
        assertThat(dir.resolve("epochs/epoch_2")).isDirectory();
        assertThat(dir.resolve("epochs/checkpoints").toFile().list()).containsExactly("step_24");
    }

    @Test
    void aModelThatIsQuantizedIsNotTrained() {
        FinetuneRecipe.Result result = Recipes.qat(config("run", "dtype: fp32\n" + QUANTIZER), Events.NONE);
        String yaml = TinyRun.yaml(dir.resolve("again"), result.artifact(), data);
        FinetuneConfig config =
                Config.parse("test", yaml, List.of()).bind(FinetuneConfig.class).value();
        assertThatThrownBy(() -> Recipes.full(config, Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("quantized already");
        assertThat(dir.resolve("again/run.json")).doesNotExist();
    }

    @Test
    void aFinishedRunGoesOnForMoreEpochs() {
        Recipes.full(config("run", "dtype: fp32\nsave_every_n_steps: 12\n"), Events.NONE);
        Recipes.full(
                config("run", "dtype: fp32\nsave_every_n_steps: 12\nepochs: 2\nresume_from_checkpoint: true\n"),
                Events.NONE);
        Recipes.full(config("through", "dtype: fp32\nepochs: 2\n"), Events.NONE);
        assertThat(losses("run")).hasSize(24).isEqualTo(losses("through"));
    }

    @Test
    void aSecondRunIntoTheSameFolderIsRefused() {
        Recipes.full(config("run", "dtype: fp32\nmax_steps_per_epoch: 1\n"), Events.NONE);
        assertThatThrownBy(() -> Recipes.full(config("run", "dtype: fp32\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("already holds a run");
    }

    @Test
    void aRunIsOnlyResumedAsWhatItWas() throws IOException {
        String keys = "dtype: fp32\nsave_every_n_steps: 5\n";
        Recipes.full(config("run", keys), Events.NONE);
        String resume = keys + "resume_from_checkpoint: true\n";
        assertThatThrownBy(() -> Recipes.full(config("run", resume + "seed: 2\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("seed changed")
                .hasMessageContaining("step_10");
        assertThatThrownBy(() -> Recipes.full(config("run", resume + "batch_size: 1\n"), Events.NONE))
                .hasMessageContaining("batch_size changed");
        assertThatThrownBy(() -> Recipes.qat(config("run", resume + QUANTIZER), Events.NONE))
                .hasMessageContaining("recipe changed");
        Files.write(data, Files.readAllLines(data).reversed());
        assertThatThrownBy(() -> Recipes.full(config("run", resume), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("content of the data changed");
    }

    @Test
    void aDelayThatOutlastsTheRunIsRefused() {
        String keys = "dtype: fp32\nfake_quant_after_n_steps: 12\n" + QUANTIZER;
        assertThatThrownBy(() -> Recipes.qat(config("run", keys), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("fake_quant_after_n_steps: 12 is past the run's last step, 12");
    }

    @Test
    void aCheckpointPastTheLastStepIsRefused() {
        String keys = "dtype: fp32\nsave_every_n_steps: 4\nresume_from_checkpoint: true\n";
        Recipes.full(config("run", keys + "max_steps_per_epoch: 4\nepochs: 2\n"), Events.NONE);
        assertThatThrownBy(() -> Recipes.full(config("run", keys + "max_steps_per_epoch: 4\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("step_8 lies past the last step, 4");
    }

    @Test
    void aResumeWithoutACheckpointStartsFromTheFirstStep() {
        Recipes.full(config("run", "dtype: fp32\nresume_from_checkpoint: true\nmax_steps_per_epoch: 2\n"), Events.NONE);
        assertThat(losses("run")).hasSize(2);
    }

    @Test
    void aLossThatIsNoNumberEndsTheRunWithAdvice() {
        String keys = "dtype: fp32\noptimizer: {_component_: AdamW, lr: 1e30}\n";
        assertThatThrownBy(() -> Recipes.full(config("run", keys), Events.NONE))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("Lower optimizer.lr");
    }

    @Test
    void anEpochShorterThanAStepIsRefused() {
        assertThatThrownBy(() ->
                        Recipes.full(config("run", "dtype: fp32\ngradient_accumulation_steps: 13\n"), Events.NONE))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("gradient_accumulation_steps");
    }

    @Test
    void nativeMemoryStaysFlatOverFiftySteps() {
        List<Long> handles = new ArrayList<>();
        List<Long> resident = new ArrayList<>();
        Events events = new Events() {
            @Override
            public void progress(Progress progress) {
                if (progress.task().equals("training") && progress.done() >= 10) {
                    handles.add(Pointer.totalCount());
                    resident.add(ProcessMemory.resident());
                }
            }
        };
        Recipes.qat(config("run", "dtype: bf16\nepochs: 5\n" + QUANTIZER), events);
        assertThat(handles).hasSize(51).first(InstanceOfAssertFactories.LONG).isPositive();
        // The collector may take what earlier tests left, but no step may leave anything itself.
        for (int i = 1; i < handles.size(); i++) {
            assertThat(handles.get(i))
                    .as("tensors and other native objects alive")
                    .isLessThanOrEqualTo(handles.get(i - 1));
        }
        // Java's own heap is in here too.
        assertThat(resident.getLast() - resident.getFirst()).isLessThan(64L << 20);
    }

    private FinetuneConfig config(String run, String keys) {
        String yaml = TinyRun.yaml(dir.resolve(run), TinyRun.golden("model"), data) + "batch_size: 4\n";
        for (String key : List.of("optimizer", "batch_size", "shuffle")) {
            yaml = keys.contains(key + ":") ? yaml.replaceAll("(?m)^" + key + ":.*\n", "") : yaml;
        }
        return Config.parse("test", yaml + keys, List.of())
                .bind(FinetuneConfig.class)
                .value();
    }

    /// Step, loss, rate and gradient norm of every step, every digit of them.
    private List<String> losses(String run) {
        return JsonlMetrics.read(dir.resolve(run + "/metrics.jsonl")).stream()
                .map(r -> "%d %s %s %s"
                        .formatted(
                                r.step(),
                                r.values().get("loss"),
                                r.values().get("lr"),
                                r.values().get("grad_norm")))
                .toList();
    }

    private byte[] bytes(String file) {
        try {
            return Files.readAllBytes(dir.resolve(file));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
