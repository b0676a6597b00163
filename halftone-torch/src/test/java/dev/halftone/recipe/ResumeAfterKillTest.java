package dev.halftone.recipe;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.metrics.JsonlMetrics;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Runs in processes of their own, killed as a machine that loses power kills them.
class ResumeAfterKillTest {
    private static final int KILLS = 4;
    private static final int STEPS = 60;

    @TempDir
    Path dir;

    @Test
    void aRunKilledAtRandomMomentsGivesTheLossesOfOneThatWasNot() throws Exception {
        Path data = TinyRun.writeGoldenBatches(dir.resolve("data.jsonl"), "");
        Path through = config("through", data, false);
        assertThat(start(through).waitFor()).isZero();

        // Another seed each time, named in a failure, so that over many builds many moments are tried.
        long seed = System.nanoTime();
        Random random = new Random(seed);
        Path killed = config("killed", data, true);
        int kills = 0;
        for (int i = 0; i < KILLS; i++) {
            Process process = start(killed);
            long until = steps("killed") + 1 + random.nextInt(STEPS / KILLS);
            while (process.isAlive() && steps("killed") < until) {
                Thread.sleep(1);
            }
            Thread.sleep(random.nextInt(30));
            kills += process.isAlive() ? 1 : 0;
            process.destroyForcibly().waitFor();
        }
        assertThat(start(killed).waitFor()).as("resumed, seed %d", seed).isZero();

        assertThat(kills).as("seed %d", seed).isPositive();
        assertThat(losses("killed")).as("seed %d", seed).hasSize(STEPS).isEqualTo(losses("through"));
        for (String file : List.of("epoch_4/model.safetensors", "quantized/model.safetensors")) {
            assertThat(Files.readAllBytes(dir.resolve("killed").resolve(file)))
                    .as("%s, seed %d", file, seed)
                    .isEqualTo(Files.readAllBytes(dir.resolve("through").resolve(file)));
        }
        try (var left = Files.list(dir.resolve("killed/checkpoints"))) {
            assertThat(left.map(p -> p.getFileName().toString()))
                    .as("nothing half written is left, seed %d", seed)
                    .containsExactlyInAnyOrder("step_56", "step_60");
        }
    }

    private Path config(String run, Path data, boolean resume) throws IOException {
        String yaml = TinyRun.yaml(dir.resolve(run), TinyRun.golden("model"), data)
                        .replace("weight_decay: 0.01", "bf16_stochastic_round: true")
                        .replace("shuffle: false", "shuffle: true")
                + """
                dtype: bf16
                batch_size: 2
                gradient_accumulation_steps: 2
                epochs: 5
                save_every_n_steps: 4
                keep_last_n_checkpoints: 2
                fake_quant_after_n_steps: 27
                quantizer: {_component_: Int8DynamicActivationIntxWeightConfig, weight_dtype: int4, exclude: []}
                lr_scheduler: {_component_: get_cosine_schedule_with_warmup, num_warmup_steps: 5}
                clip_grad_norm: 1.0
                resume_from_checkpoint: %s
                """.formatted(resume);
        return Files.writeString(dir.resolve(run + ".yaml"), yaml);
    }

    private Process start(Path config) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(a -> a.startsWith("-D") || a.startsWith("--"))
                .toList());
        String classPath = System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"));
        command.addAll(List.of("-Xmx512m", "-cp", classPath, Main.class.getName(), config.toString()));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("output.txt").toFile())
                .start();
    }

    /// Lines of metrics so far.
    private long steps(String run) throws IOException {
        Path file = dir.resolve(run).resolve("metrics.jsonl");
        if (!Files.exists(file)) {
            return 0;
        }
        try (var lines = Files.lines(file)) {
            return lines.count();
        }
    }

    private List<List<Double>> losses(String run) {
        return JsonlMetrics.read(dir.resolve(run).resolve("metrics.jsonl")).stream()
                .map(r -> List.of(
                        (double) r.step(),
                        r.values().get("loss"),
                        r.values().get("lr"),
                        r.values().get("grad_norm")))
                .toList();
    }

    /// The other process.
    static final class Main {
        public static void main(String[] args) {
            TinyRun.oneThread();
            FinetuneConfig config = Config.load(Path.of(args[0]), List.of())
                    .bind(FinetuneConfig.class)
                    .value();
            Recipes.qat(config, Events.NONE);
        }
    }
}
