package dev.halftone;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;

/// The Python in which tests run other projects' programs: `HALFTONE_PYTHON`, or `-Dhalftone.python`. It has
/// what `scripts/test-requirements.txt` pins; `scripts/make-test-venv.sh` makes it.
public record Python(String executable) {
    private static final int MINUTES = 10;
    /// What is given lies on the disk.
    private static final Map<String, String> OFFLINE =
            Map.of("HF_HUB_OFFLINE", "1", "HF_HUB_DISABLE_PROGRESS_BARS", "1", "TRANSFORMERS_VERBOSITY", "error");

    /// Skips the test where none is given.
    public static Python orSkip() {
        String python = System.getProperty("halftone.python", System.getenv("HALFTONE_PYTHON"));
        return python == null
                ? Skip.because("no Python: scripts/make-test-venv.sh makes one, HALFTONE_PYTHON=<its path> gives it")
                : new Python(python);
    }

    /// A script of the repository.
    ///
    /// @param path from its root
    public static Path script(String path) {
        return Path.of(System.getProperty("halftone.root", ".."), path);
    }

    /// A script among the test resources of a class's module.
    ///
    /// @param path from the root of the resources
    public static Path script(Class<?> of, String path) {
        try {
            return Path.of(
                    Objects.requireNonNull(of.getResource("/" + path), path).toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    /// Runs a script to its end. One process for all that a test has to ask: to import torch and transformers
    /// takes seconds.
    ///
    /// @param input what it reads from standard input
    /// @return what it wrote to standard output
    /// @throws AssertionError with what it wrote to standard error, if it fails or takes ten minutes
    public String run(Path script, String input, List<?> arguments) {
        List<String> command = new ArrayList<>(List.of(executable, script.toString()));
        arguments.forEach(a -> command.add(a.toString()));
        try {
            Path dir = Files.createTempDirectory("halftone-python");
            Path in = Files.writeString(dir.resolve("in"), input);
            Path out = dir.resolve("out");
            Path err = dir.resolve("err");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .redirectInput(in.toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile());
            builder.environment().putAll(OFFLINE);
            Process process = builder.start();
            if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new AssertionError(
                        "%s took more than %d minutes: %s".formatted(script, MINUTES, Files.readString(err)));
            }
            if (process.exitValue() != 0) {
                throw new AssertionError(
                        "%s exited with %d: %s".formatted(script, process.exitValue(), Files.readString(err)));
            }
            String answer = Files.readString(out);
            for (Path file : List.of(in, out, err, dir)) {
                Files.delete(file);
            }
            return answer;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
