package dev.halftone;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The programs in `examples/`, compiled and run from their source as their first comment says.
class ExamplesTest {
    private static final Path ROOT = Path.of(System.getProperty("halftone.root"));

    @TempDir
    private Path dir;

    @Test
    void qatFromJavaShipsWhatItTrained() throws IOException, InterruptedException {
        Path artifact = dir.resolve("artifact");
        String output = run(
                "QatFromJava.java",
                ROOT.resolve("quickstart/base-model"),
                ROOT.resolve("quickstart/text/finetune/1961_john_f_kennedy_d.txt"),
                artifact);
        assertThat(output)
                .contains("step 20  loss ")
                .contains(
                        "35 layers quantized to int3wo-g32; the artifact computes the same numbers as the trained model");
        assertThat(artifact.resolve("model.safetensors")).isNotEmptyFile();
    }

    private static String run(String example, Path... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
                .filter(a -> a.startsWith("-Dorg.bytedeco.") || a.startsWith("--"))
                .toList());
        command.add("-cp");
        command.add(System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
        command.add(ROOT.resolve("examples").resolve(example).toString());
        for (Path argument : arguments) {
            command.add(argument.toString());
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
