package dev.halftone.export;

import dev.halftone.InputException;
import dev.halftone.model.CausalLm;
import java.nio.file.Path;

/// An artifact as llama.cpp's file.
final class GgufExporter implements Exporter {
    @Override
    public void write(Artifact artifact, Path target) {
        throw new InputException("format: gguf is not written yet. Use format=hf.");
    }

    @Override
    public CausalLm read(Path written, Artifact artifact) {
        throw new InputException("format: gguf is not written yet. Use format=hf.");
    }
}
