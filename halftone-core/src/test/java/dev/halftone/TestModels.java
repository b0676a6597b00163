package dev.halftone;

import java.nio.file.Files;
import java.nio.file.Path;

/// The real models and texts that `scripts/fetch-test-models.sh` puts into `models/`.
public final class TestModels {
    private TestModels() {}

    /// SmolLM2-135M-Instruct as llama.cpp quantized it. Skips the test where it has not been fetched.
    public static Path smolLm2() {
        return fetched("SmolLM2-135M-Instruct.Q4_1.gguf");
    }

    /// A folder with the State of the Union addresses, one a file. Skips the test where it has not been fetched.
    public static Path stateOfTheUnion() {
        return fetched("sotu");
    }

    private static Path fetched(String name) {
        Path path = Path.of(System.getProperty("halftone.root", ".."), "models", name);
        if (Files.notExists(path)) {
            return Skip.because("models/%s is absent: scripts/fetch-test-models.sh fetches it".formatted(name));
        }
        return path;
    }
}
