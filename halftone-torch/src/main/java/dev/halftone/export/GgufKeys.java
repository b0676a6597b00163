package dev.halftone.export;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.Architecture;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.format.gguf.GgufValue;
import dev.halftone.model.DecoderConfig;
import dev.halftone.nn.RopeScaling;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// The metadata of a GGUF file but for its tokenizer: what llama.cpp's converter writes for a model
/// (`conversion/base.py`, `conversion/llama.py`).
final class GgufKeys {
    /// Of ggml's block layouts; 1 is no longer read.
    private static final int QUANTIZATION_VERSION = 2;
    /// Where Mistral's `config.json` says nothing.
    private static final int MISTRAL_WINDOW = 4096;

    private final Path dir;
    private final DecoderConfig config;
    private final JsonNode json;
    private final Architecture architecture;

    /// @throws InputException if llama.cpp would not compute what the model does
    GgufKeys(Artifact artifact) {
        this.dir = artifact.dir();
        this.config = artifact.model().config();
        this.json = Json.readObject(dir.resolve("config.json"));
        String type = json.path("model_type").asString("");
        this.architecture = Architecture.ofModelType(type)
                .orElseThrow(() -> refused("model_type " + type + " has no architecture there that is supported"));
        if (json.path("use_sliding_window").asBoolean(false)) {
            throw refused("llama.cpp reads no sliding window of " + type);
        }
        if (architecture == Architecture.OLMO2 && config.tied()) {
            throw refused("llama.cpp's olmo2 has a head of its own");
        }
        if (architecture == Architecture.SMOLLM3) {
            requireEveryFourthLayerUnrotated();
        }
        ropeFactors();
    }

    private void requireEveryFourthLayerUnrotated() {
        JsonNode rotated = json.path("no_rope_layers");
        boolean usual = rotated.isArray() || json.path("no_rope_layer_interval").asInt(4) == 4;
        for (int i = 0; i < rotated.size(); i++) {
            usual &= (rotated.path(i).asInt() != 0) == ((i + 1) % 4 != 0);
        }
        if (!usual) {
            throw refused("llama.cpp leaves every fourth layer without rotary positions, not those of no_rope_layers");
        }
    }

    Architecture architecture() {
        return architecture;
    }

    /// @param parameters number of weights, shared ones once
    /// @param type that most weights are stored as
    Map<String, GgufValue> keys(long parameters, GgmlType type) {
        Map<String, GgufValue> keys = new LinkedHashMap<>();
        String prefix = architecture.label() + ".";
        keys.put("general.architecture", GgufValue.of(architecture.label()));
        keys.put("general.type", GgufValue.of("model"));
        keys.put(
                "general.name",
                GgufValue.of(String.valueOf(dir.toAbsolutePath().normalize().getFileName())));
        keys.put("general.size_label", GgufValue.of(sizeLabel(parameters)));
        keys.put(prefix + "block_count", GgufValue.of(config.layers()));
        keys.put(prefix + "context_length", GgufValue.of(Math.min(config.maxPositions(), window())));
        keys.put(prefix + "embedding_length", GgufValue.of(config.width()));
        keys.put(prefix + "feed_forward_length", GgufValue.of(config.innerWidth()));
        keys.put(prefix + "attention.head_count", GgufValue.of(config.heads()));
        keys.put(prefix + "attention.head_count_kv", GgufValue.of(config.kvHeads()));
        keys.put(prefix + "rope.freq_base", GgufValue.of(config.rope().theta()));
        keys.put(prefix + "attention.layer_norm_rms_epsilon", GgufValue.of(config.normEps()));
        if (config.headDim() * config.heads() != config.width()) {
            keys.put(prefix + "attention.key_length", GgufValue.of(config.headDim()));
            keys.put(prefix + "attention.value_length", GgufValue.of(config.headDim()));
        }
        keys.put("general.file_type", GgufValue.of(fileType(type)));
        keys.put(prefix + "vocab_size", GgufValue.of(config.vocabSize()));
        keys.put(prefix + "rope.dimension_count", GgufValue.of(config.headDim()));
        scaling(prefix + "rope.scaling.", keys);
        keys.put("general.quantization_version", GgufValue.of(QUANTIZATION_VERSION));
        return keys;
    }

    /// llama.cpp attends to all tokens where Mistral has a window: the same for texts no longer than that.
    private int window() {
        boolean mistral = json.path("model_type").asString().equals("mistral");
        boolean unbounded = json.path("sliding_window").isNull();
        return mistral && !unbounded ? json.path("sliding_window").asInt(MISTRAL_WINDOW) : Integer.MAX_VALUE;
    }

    private void scaling(String prefix, Map<String, GgufValue> keys) {
        switch (config.rope().scaling()) {
            case RopeScaling.None _, RopeScaling.Llama3 _ -> {}
            case RopeScaling.Linear(double factor) -> {
                keys.put(prefix + "type", GgufValue.of("linear"));
                keys.put(prefix + "factor", GgufValue.of(factor));
            }
            case RopeScaling.Yarn yarn -> {
                keys.put(prefix + "type", GgufValue.of("yarn"));
                keys.put(prefix + "factor", GgufValue.of(yarn.factor()));
                keys.put(prefix + "original_context_length", GgufValue.of((int) yarn.originalContext()));
            }
        }
    }

    /// What each frequency is divided by: `rope_freqs.weight`, `[headDim / 2]`. Null where they are the
    /// plain ones, or keys say how they are stretched.
    ///
    /// @throws InputException if the stretching cannot be said
    float @Nullable [] ropeFactors() {
        switch (config.rope().scaling()) {
            case RopeScaling.None _, RopeScaling.Linear _ -> {
                return null;
            }
            case RopeScaling.Yarn s -> {
                boolean usual = s.betaFast() == 32
                        && s.betaSlow() == 1
                        && s.truncate()
                        && Math.abs(s.attentionFactor() - RopeScaling.Yarn.magnitude(s.factor(), 1)) < 1e-6;
                if (!usual) {
                    throw refused("its YaRN has parameters other than the usual ones");
                }
                return null;
            }
            case RopeScaling.Llama3 s -> {
                if (s.lowFreqFactor() != 1 || s.highFreqFactor() != 4 || s.originalContext() != 8192) {
                    throw refused("its rope_scaling of type llama3 has parameters other than Llama 3's");
                }
                float[] factors =
                        new RopeScaling.None().frequencies(config.rope().theta(), config.headDim());
                float[] stretched = s.frequencies(config.rope().theta(), config.headDim());
                for (int i = 0; i < factors.length; i++) {
                    factors[i] /= stretched[i];
                }
                return factors;
            }
        }
    }

    /// 134,515,008 as `135M`, at least two digits: gguf-py 0.19, `utility.py`.
    private static String sizeLabel(long parameters) {
        double scaled = parameters;
        for (String unit : new String[] {"", "K", "M", "B"}) {
            if (scaled < 1000) {
                return String.format(Locale.ROOT, Math.round(scaled) < 10 ? "%.1f%s" : "%.0f%s", scaled, unit);
            }
            scaled /= 1000;
        }
        return String.format(Locale.ROOT, Math.round(scaled) < 10 ? "%.1fT" : "%.0fT", scaled);
    }

    /// ggml's `LLAMA_FTYPE`.
    private static int fileType(GgmlType type) {
        return switch (type) {
            case Q4_0 -> 2;
            case Q4_1 -> 3;
            case Q8_0 -> 7;
            case Q5_0 -> 8;
            case Q5_1 -> 9;
            case TQ1_0 -> 36;
            case TQ2_0 -> 37;
            case MXFP4 -> 38;
            default -> throw new IllegalArgumentException("no file is mostly " + type);
        };
    }

    private InputException refused(String why) {
        return new InputException("format: gguf cannot hold %s: %s. Use format=hf.".formatted(dir, why));
    }
}
