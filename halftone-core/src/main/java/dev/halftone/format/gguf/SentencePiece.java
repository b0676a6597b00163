package dev.halftone.format.gguf;

import dev.halftone.format.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// What SentencePiece's BPE does to texts before it merges, of which `tokenizer.ggml.add_space_prefix` tells: as the
/// tokenizer.json of Llama 2 has it, which llama.cpp's `tokenizer.ggml.model` "llama" does (`llama-vocab.cpp`).
///
/// Spaces become `▁`. Texts are not split before merging, but for the special tokens in them.
public enum SentencePiece {
    /// A space is put before every piece of text, the first one and those after special tokens: Llama 2's and
    /// Mistral's way.
    PREFIXED,
    /// Nothing is put before texts.
    PLAIN;

    /// How a character that is no token is spelled: one token for each byte of its UTF-8.
    public static final List<String> BYTES = bytes();

    private static final String SPACE = "▁";

    static SentencePiece of(GgufMetadata metadata) {
        return metadata.bool("tokenizer.ggml.add_space_prefix").orElse(true) ? PREFIXED : PLAIN;
    }

    /// That of a tokenizer.json; empty where neither prepares texts as it does.
    public static Optional<SentencePiece> of(JsonNode tokenizer) {
        JsonNode pre = tokenizer.path("pre_tokenizer");
        List<JsonNode> normalizers = parts(tokenizer.path("normalizer"));
        if (pre.path("type").asString("").equals("Metaspace")) {
            boolean plain = pre.path("prepend_scheme").asString("").equals("never")
                    && pre.path("replacement").asString("").equals(SPACE)
                    && !pre.path("split").asBoolean(true)
                    && normalizers.isEmpty();
            return plain ? Optional.of(PLAIN) : Optional.empty();
        }
        boolean splits = !pre.isNull() && !pre.isMissingNode();
        for (SentencePiece way : values()) {
            if (!splits && normalizers.equals(parts(way.normalizer()))) {
                return Optional.of(way);
            }
        }
        return Optional.empty();
    }

    private static List<JsonNode> parts(JsonNode normalizer) {
        if (normalizer.isNull() || normalizer.isMissingNode()) {
            return List.of();
        }
        JsonNode parts = normalizer.path("normalizers");
        return parts.isArray() ? List.copyOf(parts.values()) : List.of(normalizer);
    }

    /// Whether a space is put before texts.
    public boolean prefixes() {
        return this == PREFIXED;
    }

    /// The `normalizer` of tokenizer.json.
    ObjectNode normalizer() {
        List<ObjectNode> parts = new ArrayList<>();
        if (prefixes()) {
            parts.add(Json.object().put("type", "Prepend").put("prepend", SPACE));
        }
        parts.add(replace(" ", SPACE));
        return sequence("normalizers", parts);
    }

    /// The `decoder` of tokenizer.json, which takes the first space off again.
    ObjectNode decoder() {
        List<ObjectNode> parts = new ArrayList<>();
        parts.add(replace(SPACE, " "));
        parts.add(Json.object().put("type", "ByteFallback"));
        parts.add(Json.object().put("type", "Fuse"));
        if (prefixes()) {
            parts.add(Json.object()
                    .put("type", "Strip")
                    .put("content", " ")
                    .put("start", 1)
                    .put("stop", 0));
        }
        return sequence("decoders", parts);
    }

    private static ObjectNode replace(String from, String to) {
        ObjectNode replace = Json.object().put("type", "Replace");
        replace.putObject("pattern").put("String", from);
        return replace.put("content", to);
    }

    private static ObjectNode sequence(String name, List<ObjectNode> parts) {
        ObjectNode sequence = Json.object().put("type", "Sequence");
        ArrayNode list = sequence.putArray(name);
        parts.forEach(list::add);
        return sequence;
    }

    private static List<String> bytes() {
        List<String> bytes = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            bytes.add("<0x%02X>".formatted(b));
        }
        return List.copyOf(bytes);
    }
}
