package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.gguf.GgufCheckpoint;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// Where configuration, tokenizer and chat template of a model are: its own folder, or, for a GGUF file, a temporary
/// one that is made of what the file says.
record ModelFolder(Path dir, boolean temporary) implements AutoCloseable {
    /// @param dtype of the weights, as a configuration is to name it
    static ModelFolder of(Path model, DType dtype) {
        if (!GgufCheckpoint.isOne(model)) {
            return new ModelFolder(model, false);
        }
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(model)) {
            Path dir = Files.createTempDirectory("halftone-");
            checkpoint.writeWithoutWeights(dir, dtype);
            return new ModelFolder(dir, true);
        } catch (IOException e) {
            throw new RunException(
                    "The tokenizer of %s cannot be written (%s). Free space where temporary files go."
                            .formatted(model, e.getMessage()),
                    e);
        }
    }

    @Override
    public void close() {
        if (temporary) {
            AtomicFiles.deleteFolder(dir);
        }
    }
}
