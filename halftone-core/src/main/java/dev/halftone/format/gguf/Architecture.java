package dev.halftone.format.gguf;

import dev.halftone.InputException;
import java.util.Arrays;
import java.util.stream.Collectors;

/// The model families that can be imported: decoders with the same tensors as Llama, give or take biases and norms.
enum Architecture {
    /// Also Mistral and everything else that llama.cpp converts as `llama`.
    LLAMA("llama", "LlamaForCausalLM", true),
    QWEN2("qwen2", "Qwen2ForCausalLM", false),
    QWEN3("qwen3", "Qwen3ForCausalLM", false);

    private final String label;
    private final String className;
    private final boolean permuted;

    Architecture(String label, String className, boolean permuted) {
        this.label = label;
        this.className = className;
        this.permuted = permuted;
    }

    /// @throws InputException if the file's architecture is missing or cannot be imported
    static Architecture of(GgufMetadata metadata) {
        String name = metadata.text("general.architecture").orElseThrow(() -> metadata.missing("general.architecture"));
        return Arrays.stream(values())
                .filter(a -> a.label.equals(name))
                .findFirst()
                .orElseThrow(() ->
                        new InputException("%s has the architecture '%s', which cannot be imported. Supported: %s."
                                .formatted(
                                        metadata.file(),
                                        name,
                                        Arrays.stream(values())
                                                .map(Architecture::label)
                                                .collect(Collectors.joining(", ")))));
    }

    /// The name in `general.architecture`, before each of its keys, and as `model_type` in `config.json`.
    String label() {
        return label;
    }

    /// The class in transformers.
    String className() {
        return className;
    }

    /// Whether llama.cpp's converter interleaves the two halves of each query and key head.
    boolean permuted() {
        return permuted;
    }

    /// Whether queries, keys and values always have a bias.
    boolean qkvBias() {
        return this == QWEN2;
    }

    /// Whether queries and keys are normalized head by head.
    boolean qkNorm() {
        return this == QWEN3;
    }
}
