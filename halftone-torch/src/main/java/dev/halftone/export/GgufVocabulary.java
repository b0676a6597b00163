package dev.halftone.export;

import dev.halftone.InputException;
import dev.halftone.chat.ChatTemplate;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufValue;
import dev.halftone.format.gguf.PreTokenizer;
import dev.halftone.tokenizer.SpecialTokens;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The `tokenizer.*` keys of a GGUF file, from a Hugging Face folder with byte-level BPE: what llama.cpp's
/// converter writes for it (`conversion/base.py` and gguf-py 0.19, `vocab.py`).
final class GgufVocabulary {
    private static final String PREFIX = "tokenizer.ggml.";

    /// ggml's numbers for kinds of tokens.
    private static final int NORMAL = 1;

    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;

    /// transformers' names of special tokens, and llama.cpp's.
    private static final List<Map.Entry<String, String>> ROLES = List.of(
            Map.entry("bos_token", "bos"),
            Map.entry("eos_token", "eos"),
            Map.entry("unk_token", "unknown"),
            Map.entry("pad_token", "padding"));

    private final Path folder;
    private final ObjectNode tokenizer;
    private final List<String> tokens;
    private final int[] types;
    private final Map<String, Integer> ids = new HashMap<>();

    /// @param size rows of the embedding table: ids without a token are filled up
    /// @throws InputException if the folder has no tokenizer, or one that llama.cpp would read otherwise
    GgufVocabulary(Path folder, int size) {
        this.folder = folder;
        Path file = folder.resolve("tokenizer.json");
        if (!Files.exists(file)) {
            throw new InputException(
                    "%s has no tokenizer.json, and llama.cpp loads no model without a tokenizer. Copy it there."
                            .formatted(folder));
        }
        this.tokenizer = Json.readObject(file);
        this.tokens = new ArrayList<>(Collections.nCopies(size, ""));
        this.types = new int[size];
        JsonNode model = tokenizer.path("model");
        if (!model.path("type").asString("").equals("BPE")
                || !tokenizer.at("/decoder/type").asString("").equals("ByteLevel")) {
            throw refused("is no byte-level BPE");
        }
        model.path("vocab").forEachEntry((token, id) -> put(token, id, NORMAL));
        for (JsonNode added : tokenizer.path("added_tokens")) {
            String token = added.path("content").asString("");
            boolean control = added.path("special").asBoolean(false) || token.startsWith("<|") && token.endsWith("|>");
            put(token, added.path("id"), control ? CONTROL : USER_DEFINED);
        }
        for (int id = 0; id < size; id++) {
            if (types[id] == 0) {
                tokens.set(id, "[PAD" + id + "]");
                types[id] = UNUSED;
            }
        }
    }

    private void put(String token, JsonNode id, int type) {
        if (!id.isInt() || id.intValue() < 0 || id.intValue() >= types.length) {
            throw refused("gives '%s' the id %s, and the model has %d".formatted(token, id, types.length));
        }
        tokens.set(id.intValue(), token);
        types[id.intValue()] = type;
        ids.put(token, id.intValue());
    }

    /// Adds the keys.
    void writeTo(Map<String, GgufValue> keys) {
        ObjectNode config = json("tokenizer_config.json");
        if (config.path("add_prefix_space").isBoolean()) {
            keys.put(
                    PREFIX + "add_space_prefix",
                    GgufValue.of(config.path("add_prefix_space").asBoolean()));
        }
        JsonNode single = template();
        keys.put(PREFIX + "add_bos_token", GgufValue.of(isSpecial(single.path(0))));
        if (isSpecial(single.path(single.size() - 1))) {
            keys.put(PREFIX + "add_eos_token", GgufValue.of(true));
        }
        keys.put(PREFIX + "model", GgufValue.of("gpt2"));
        keys.put(
                PREFIX + "pre",
                GgufValue.of(PreTokenizer.of(tokenizer)
                        .orElseThrow(() -> refused("splits texts in a way that has no name in llama.cpp"))
                        .label()));
        keys.put(PREFIX + "tokens", GgufValue.of(tokens));
        keys.put(PREFIX + "token_type", ints(types));
        keys.put(PREFIX + "merges", GgufValue.of(merges()));
        Map<String, String> special = SpecialTokens.read(folder).tokens();
        ObjectNode model = json("config.json");
        for (var role : ROLES) {
            Integer id = ids.get(special.getOrDefault(role.getKey(), ""));
            JsonNode configured = model.path(role.getKey() + "_id");
            if (id != null || configured.isInt()) {
                keys.put(PREFIX + role.getValue() + "_token_id", GgufValue.of(id == null ? configured.intValue() : id));
            }
        }
        ChatTemplate.source(folder).ifPresent(source -> keys.put("tokenizer.chat_template", GgufValue.of(source)));
    }

    /// What encoding puts around a text.
    private JsonNode template() {
        JsonNode processor = tokenizer.path("post_processor");
        JsonNode all = processor.has("processors")
                ? processor.path("processors")
                : Json.object().putArray("one").add(processor);
        return StreamSupport.stream(all.spliterator(), false)
                .filter(p -> p.path("type").asString("").equals("TemplateProcessing"))
                .map(p -> p.path("single"))
                .findFirst()
                .orElse(Json.object().putArray("none"));
    }

    private static boolean isSpecial(JsonNode part) {
        return part.has("SpecialToken");
    }

    /// Two words each; newer files have them as pairs.
    private List<String> merges() {
        List<String> merges = new ArrayList<>();
        for (JsonNode merge : tokenizer.at("/model/merges")) {
            merges.add(
                    merge.isArray()
                            ? merge.path(0).asString() + " " + merge.path(1).asString()
                            : merge.asString());
        }
        return merges;
    }

    private static GgufValue ints(int[] values) {
        List<GgufValue> list = new ArrayList<>();
        for (int value : values) {
            list.add(new GgufValue.Whole(GgufValue.Type.INT32, value));
        }
        return new GgufValue.Array(GgufValue.Type.INT32, list);
    }

    private ObjectNode json(String name) {
        return Files.exists(folder.resolve(name)) ? Json.readObject(folder.resolve(name)) : Json.object();
    }

    private InputException refused(String why) {
        return new InputException("format: gguf cannot hold the tokenizer: %s %s. Use format=hf."
                .formatted(folder.resolve("tokenizer.json"), why));
    }
}
