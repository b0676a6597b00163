package dev.halftone.model;

import java.util.Arrays;
import java.util.Optional;
import java.util.stream.Collectors;

/// The model families that can be built, by the `model_type` of their `config.json`.
enum Family {
    LLAMA("llama"),
    MISTRAL("mistral"),
    QWEN2("qwen2"),
    QWEN3("qwen3"),
    SMOLLM3("smollm3"),
    OLMO2("olmo2");

    private final String modelType;

    Family(String modelType) {
        this.modelType = modelType;
    }

    static Optional<Family> find(ConfigJson json) {
        String type = json.text("model_type", "");
        return Arrays.stream(values()).filter(f -> f.modelType.equals(type)).findFirst();
    }

    /// @throws dev.halftone.InputException if the configuration names none of these
    static Family of(ConfigJson json) {
        return find(json)
                .orElseThrow(() -> json.unsupported(
                        "model_type",
                        Arrays.stream(values()).map(f -> f.modelType).collect(Collectors.joining(", "))));
    }
}
