package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.model.Models;
import dev.halftone.torch.Device;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/// The shipped configurations, run as a user runs them, on a model of a few thousand weights: each step takes up
/// what the one before it left.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class RecipesEndToEndTest {
    private static final Path ROOT = Path.of(System.getProperty("halftone.root"));

    @TempDir
    private static Path folder;

    private static String model = "";
    private static String text = "";

    @BeforeAll
    static void makeModelAndText() throws IOException {
        Torch.setThreads(1);
        Path base = ROOT.resolve("quickstart/base-model");
        ObjectNode config = Json.readObject(base.resolve("config.json"))
                .put("hidden_size", 64)
                .put("intermediate_size", 96)
                .put("num_hidden_layers", 1)
                .put("head_dim", 16)
                .put("num_attention_heads", 4)
                .put("num_key_value_heads", 2)
                .put("max_position_embeddings", 128);
        Path dir = folder.resolve("model");
        try (Scope _ = Scope.open()) {
            List<Entry> weights = new ArrayList<>();
            Models.initialise(config, 1, DType.F32, Device.CPU)
                    .namedParameters()
                    .forEach((name, p) -> weights.add(
                            new Entry(name, DType.F32, Torch.shape(p.master()), () -> Torch.memory(p.master()))));
            HfWriter.write(dir, config, weights, HfWriter.DEFAULT_SHARD_BYTES, base, false);
        }
        model = dir.toString();
        Path words = Files.list(ROOT.resolve("quickstart/text/finetune"))
                .sorted()
                .findFirst()
                .orElseThrow();
        text = Files.writeString(
                        folder.resolve("a.txt"), Files.readString(words).substring(0, 4000))
                .toString();
    }

    private static Cli run(String recipe, String... overrides) {
        List<String> line = new ArrayList<>(List.of("run", recipe, "--config", recipe));
        line.addAll(Arrays.asList(overrides));
        Cli cli = Cli.run(line.toArray(String[]::new));
        assertThat(cli.err()).doesNotContain("halftone: ");
        assertThat(cli.status()).isZero();
        return cli;
    }

    private static String at(String name) {
        return folder.resolve(name).toString();
    }

    @Test
    @Order(1)
    void fullTrains() {
        Cli cli = run(
                "full",
                "checkpoint_dir=" + model,
                "output_dir=" + at("full"),
                "dataset.data_files=" + text,
                "max_seq_len=32",
                "max_steps_per_epoch=2",
                "--json");
        assertThat(Json.parseObject(cli.out()).at("/results/steps").asInt()).isEqualTo(2);
        assertThat(folder.resolve("full/run.json")).exists();
        assertThat(folder.resolve("full/report.html")).content().contains("<svg", "optimizer.lr");
    }

    @Test
    @Order(2)
    void qatTrainsWhatItShips() {
        Cli cli = run(
                "qat",
                "checkpoint_dir=" + model,
                "output_dir=" + at("qat"),
                "dataset.data_files=" + text,
                "max_seq_len=32",
                "max_steps_per_epoch=2",
                "--json");
        ObjectNode json = Json.parseObject(cli.out());
        assertThat(Path.of(json.at("/results/artifact").asString())).isDirectory();
        assertThat(json.at("/config/quantizer/weight_dtype").asString()).isEqualTo("int4");
    }

    @Test
    @Order(3)
    void quantizeWritesAnArtifactOnce() {
        String[] line = {"checkpoint_dir=" + model, "output_dir=" + at("artifact")};
        run("quantize", line);
        assertThat(Cli.run("inspect", at("artifact")).out()).contains("weight_scale");
        Cli again = Cli.run("run", "quantize", "--config", "quantize", line[0], line[1]);
        assertThat(again.status()).isEqualTo(2);
        assertThat(again.out()).isEmpty();
    }

    @Test
    @Order(4)
    void evalMeasuresModelAndArtifact() {
        String[] overrides = {
            "tasks=[perplexity]", "data_files=[%s,%s]".formatted(text, text), "dtype=fp32", "max_seq_len=64"
        };
        List<String> line = new ArrayList<>(Arrays.asList(overrides));
        line.add("checkpoint_dir=" + model);
        assertThat(run("eval", line.toArray(String[]::new)).out())
                .contains("document", "word perplexity", "a.txt", "total");
        line.set(line.size() - 1, "checkpoint_dir=" + at("artifact"));
        line.add("--json");
        ObjectNode json =
                Json.parseObject(run("eval", line.toArray(String[]::new)).out());
        assertThat(json.at("/results/perplexity/word_perplexity").asDouble()).isGreaterThan(1);
        assertThat(json.at("/results/perplexity/documents")).hasSize(2);
        assertThat(json.at("/results/perplexity/documents/0/bits_per_byte").asDouble())
                .isPositive();
        assertThat(json.at("/config/max_seq_len").asInt()).isEqualTo(64);
    }

    /// An artifact, certified once more, and the float model quantized in memory are the same model.
    @Test
    @Order(5)
    void staticActivationsAreCalibratedOnAText() {
        String quantizer =
                "quantizer={_component_: ModelOptQuantizer, config: %s, calibration: %s, calibration_text: %s}";
        for (String[] keys : new String[][] {{"int8_default_cfg", "mse"}, {"fp8_default_cfg", "percentile"}}) {
            String q = quantizer.formatted(keys[0], keys[1], text);
            String artifact = at(keys[0]);
            Cli cli = run("quantize", "checkpoint_dir=" + model, "output_dir=" + artifact, "dtype=fp32", q);
            assertThat(cli.err()).contains("Calibrated the inputs of 7 layers on ", "(" + keys[1]);
            assertThat(Cli.run("inspect", artifact).out()).contains("q_proj.input_scale");
            assertThat(Cli.run("certify", artifact, "--against", model).status())
                    .isZero();
            String[] eval = {"data_files=" + text, "dtype=fp32", "max_seq_len=64"};
            String ofArtifact = run("eval", eval[0], eval[1], eval[2], "checkpoint_dir=" + artifact)
                    .out();
            assertThat(run("eval", eval[0], eval[1], eval[2], "checkpoint_dir=" + model, q)
                            .out())
                    .isEqualTo(ofArtifact);
            assertThat(run("eval", eval[0], eval[1], eval[2], "checkpoint_dir=" + model)
                            .out())
                    .isNotEqualTo(ofArtifact);
        }
    }

    @Test
    @Order(6)
    void adaptersAreTrainedMergedAndShippedAsTheSameBytes() throws IOException {
        String[] training = {
            "checkpoint_dir=" + model, "dataset.data_files=" + text, "max_seq_len=32", "max_steps_per_epoch=2", "--json"
        };
        List<String> line = new ArrayList<>(Arrays.asList(training));
        line.add("output_dir=" + at("qat_lora"));
        ObjectNode trained =
                Json.parseObject(run("qat_lora", line.toArray(String[]::new)).out());
        assertThat(trained.at("/results/merge_drift/max_abs_logit_diff").doubleValue())
                .isZero();
        String adapter = trained.at("/results/adapter").asString();
        Path artifact = folder.resolve("merged-artifact");
        run("merge", "checkpoint_dir=" + model, "adapter_dir=" + adapter, "output_dir=" + artifact);
        assertThat(artifact.resolve("certificate.json")).exists();
        assertThat(artifact.resolve("model.safetensors"))
                .hasSameBinaryContentAs(folder.resolve("qat_lora/quantized/model.safetensors"));

        // Another run over the same base goes on with the adapter of the first.
        line.set(line.size() - 1, "output_dir=" + at("lora"));
        line.addAll(List.of("adapter_dir=" + adapter, "save_adapter_weights_only=true"));
        Json.parseObject(run("lora", line.toArray(String[]::new)).out());
        assertThat(folder.resolve("lora/epoch_0")).doesNotExist();
        Path merged = folder.resolve("merged-model");
        run(
                "merge",
                "checkpoint_dir=" + model,
                "adapter_dir=" + at("lora/adapter_0"),
                "output_dir=" + merged,
                "~quantizer",
                "--json");
        assertThat(Cli.run("inspect", merged.toString()).out()).doesNotContain("weight_scale");

        // Measured without writing the merged model: the same table, and the same text.
        for (String[] recipe : new String[][] {
            {"eval", "data_files=" + text, "dtype=fp32", "max_seq_len=64"},
            {"generate", "~prompt", "prompt=We the", "max_new_tokens=5", "temperature=0", "dtype=fp32"}
        }) {
            String[] rest = Arrays.copyOfRange(recipe, 1, recipe.length + 1);
            rest[recipe.length - 1] = "checkpoint_dir=" + merged;
            String expected = run(recipe[0], rest).out();
            rest[recipe.length - 1] = "checkpoint_dir=" + model;
            String[] adapted = Arrays.copyOf(rest, rest.length + 1);
            adapted[rest.length] = "adapter_dir=" + at("lora/adapter_0");
            assertThat(run(recipe[0], adapted).out()).isEqualTo(expected);
        }
    }

    @Test
    @Order(7)
    void generateStreamsTheSameTextThatJsonHolds() {
        String[] overrides = {
            "checkpoint_dir=" + model,
            "~prompt",
            "prompt=We the people",
            "max_new_tokens=5",
            "temperature=0",
            "dtype=fp32"
        };
        Cli streamed = run("generate", overrides);
        List<String> line = new ArrayList<>(Arrays.asList(overrides));
        line.add("--json");
        ObjectNode json =
                Json.parseObject(run("generate", line.toArray(String[]::new)).out());
        assertThat(streamed.out()).isEqualTo(json.at("/results/text").asString() + System.lineSeparator());
        assertThat(streamed.err()).contains("new tokens");
    }

    @Test
    @Order(8)
    void aConversationNeedsAChatTemplate() {
        Cli cli = Cli.run("run", "generate", "--config", "generate", "checkpoint_dir=" + model);
        assertThat(cli.status()).isEqualTo(2);
        assertThat(cli.err()).contains("has no chat template, so it cannot answer messages.");
    }

    @Test
    @Order(9)
    @EnabledOnOs({OS.LINUX, OS.MAC})
    void anInterruptedRunSavesACheckpointAndSaysHowToGoOn() throws IOException, InterruptedException {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                "dev.halftone.cli.Main"));
        line.addAll(
                List.of("run", "full", "--config", "full", "checkpoint_dir=" + model, "output_dir=" + at("stopped")));
        line.addAll(List.of("dataset.data_files=" + text, "max_seq_len=32", "epochs=100000"));
        Path log = folder.resolve("log");
        Process run = new ProcessBuilder(line)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            Path metrics = folder.resolve("stopped/metrics.jsonl");
            for (int i = 0; i < 1200 && run.isAlive() && (!Files.exists(metrics) || Files.size(metrics) == 0); i++) {
                Thread.sleep(100);
            }
            // SIGTERM, which the JVM answers as it does Ctrl-C: shells in the background make children ignore SIGINT.
            run.destroy();
            assertThat(run.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            run.destroyForcibly();
        }
        assertThat(log)
                .content()
                .contains("Stopping after this step", "a checkpoint was saved", "resume_from_checkpoint=true");
        assertThat(run.exitValue()).isNotZero();
        assertThat(folder.resolve("stopped/checkpoints")).isNotEmptyDirectory();
    }
}
