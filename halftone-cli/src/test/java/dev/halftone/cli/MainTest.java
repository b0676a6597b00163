package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
    @Test
    void withoutArgumentsItShowsItsHelp() {
        Cli cli = Cli.run();
        assertThat(cli.status()).isZero();
        assertThat(cli.out()).contains("Usage: halftone", "Commands:", "Examples:");
        assertThat(cli.err()).isEmpty();
    }

    @Test
    void theVersionIsTheBuilds() {
        assertThat(Cli.run("--version").out()).matches("halftone \\d+\\.\\d+\\.\\d+\\R");
    }

    static Stream<String> verbs() {
        return Main.verbs().stream();
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void everyVerbHasHelpWithExamples(String verb) {
        Cli cli = Cli.run(verb, "--help");
        assertThat(cli.status()).isZero();
        assertThat(cli.out()).contains("Usage: halftone " + verb, "Examples:");
        assertThat(cli.out().lines().filter(l -> l.strip().startsWith("halftone " + verb)))
                .isNotEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "lss|there is no command 'lss'. Did you mean 'ls'? See `halftone --help`.",
                "eval|'eval' is a recipe: `halftone run eval --config …`.",
                "cat|Missing required parameter: 'CONFIG'. See `halftone cat --help`.",
                "cat qat --srot|there is no option '--srot'. Did you mean '--sort'? See `halftone cat --help`.",
                "ls qat|'qat' is one argument too many. See `halftone ls --help`.",
                "cat qatt|there is no configuration file or shipped configuration 'qatt'. Did you mean 'qat'? See `halftone ls`.",
            })
    void wrongUsageGetsOneSentenceAndStatus2(String line, String message) {
        Cli cli = Cli.run(line.split(" "));
        assertThat(cli.status()).isEqualTo(2);
        assertThat(cli.out()).isEmpty();
        assertThat(cli.err()).startsWith("halftone: " + message).hasLineCount(1);
    }

    @Test
    void debugShowsTheStackTrace() {
        assertThat(Cli.run("cat", "nowhere.yaml", "--debug").err()).contains("InputException", "\tat ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ls", "cat qat --sort", "validate eval", "run --help"})
    void verbsThatNeedNoTensorsRunWithoutLibtorch(String line) throws IOException, InterruptedException {
        String classPath = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(entry -> !entry.contains("bytedeco"))
                .collect(Collectors.joining(File.pathSeparator));
        List<String> command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-cp", classPath));
        command.add(Main.class.getName());
        command.addAll(List.of(line.split(" ")));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertThat(process.waitFor()).isZero();
    }
}
