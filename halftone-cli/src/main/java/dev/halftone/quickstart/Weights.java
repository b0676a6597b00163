package dev.halftone.quickstart;

import dev.halftone.RunException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/// The size of a model on disk.
final class Weights {
    private Weights() {}

    /// Bytes of the safetensors files in a model folder.
    static long bytes(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            long bytes = 0;
            for (Path file :
                    files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                bytes += Files.size(file);
            }
            return bytes;
        } catch (IOException e) {
            throw new RunException("%s cannot be read (%s). Check that the disk is there.".formatted(folder, e), e);
        }
    }
}
