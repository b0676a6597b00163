package dev.halftone.export;

import dev.halftone.InputException;
import dev.halftone.chat.ChatTemplate;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufValue;
import dev.halftone.format.gguf.PreTokenizer;
import dev.halftone.format.gguf.ScoredMerges;
import dev.halftone.format.gguf.SentencePiece;
import dev.halftone.tokenizer.SpecialTokens;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// The `tokenizer.*` keys of a GGUF file, from a Hugging Face folder with byte-level BPE or SentencePiece's: what
/// llama.cpp's converter writes for it (`conversion/base.py` and gguf-py 0.19, `vocab.py`). Of SentencePiece's it reads
/// the scores from a tokenizer.model; here they are those of the merges ([ScoredMerges]).
final class GgufVocabulary {
    private static final String PREFIX = "tokenizer.ggml.";

    /// ggml's numbers for kinds of tokens.
    private static final int NORMAL = 1;

    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    private static final int UNUSED = 5;
    private static final int BYTE = 6;

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
    /// What the two kinds have keys of their own for.
    private final Map<String, GgufValue> kind;

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
        boolean bpe = model.path("type").asString("").equals("BPE");
        boolean byteLevel = bpe && tokenizer.at("/decoder/type").asString("").equals("ByteLevel");
        boolean sentencePiece = bpe && model.path("byte_fallback").asBoolean(false);
        if (!byteLevel && !sentencePiece) {
            throw refused("is neither byte-level BPE nor SentencePiece's BPE with byte_fallback, but %s"
                    .formatted(model.path("type").asString("without a model.type")));
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
        this.kind = byteLevel ? byteLevel() : sentencePiece(model);
    }

    private Map<String, GgufValue> byteLevel() {
        Map<String, GgufValue> keys = new LinkedHashMap<>();
        JsonNode prefix = json("tokenizer_config.json").path("add_prefix_space");
        if (prefix.isBoolean()) {
            keys.put("add_space_prefix", GgufValue.of(prefix.asBoolean()));
        }
        keys.put("model", GgufValue.of("gpt2"));
        keys.put(
                "pre",
                GgufValue.of(PreTokenizer.of(tokenizer)
                        .orElseThrow(() -> refused("splits texts in a way that has no name in llama.cpp"))
                        .label()));
        keys.put("merges", GgufValue.of(merges()));
        return keys;
    }

    private Map<String, GgufValue> sentencePiece(JsonNode model) {
        SentencePiece texts = SentencePiece.of(tokenizer)
                .orElseThrow(
                        () -> refused(
                                "prepares texts as llama.cpp does not, which replaces spaces by '▁' and puts one before each piece"
                                        + " of text between special tokens or before none: see its normalizer and pre_tokenizer"));
        requireOff(model, "dropout", "ignore_merges", "continuing_subword_prefix", "end_of_word_suffix");
        for (JsonNode added : tokenizer.path("added_tokens")) {
            requireOff(added, "single_word", "lstrip", "rstrip");
            if (!tokenizer.path("normalizer").isNull()) {
                // Such a token is looked for in texts that have their '▁' already, and is normalized itself.
                requireOff(added, "normalized");
            }
        }
        for (String token : SentencePiece.BYTES) {
            Integer id = ids.get(token);
            if (id == null || types[id] != NORMAL) {
                throw refused("has no ordinary token '%s', and llama.cpp needs one of every byte".formatted(token));
            }
            types[id] = BYTE;
        }
        Integer unknown = ids.get(model.path("unk_token").asString(""));
        if (unknown != null) {
            types[unknown] = UNKNOWN;
        }
        float[] scores = new ScoredMerges(
                        tokens,
                        id -> types[id] == UNKNOWN || types[id] == CONTROL || types[id] == USER_DEFINED,
                        this::refused)
                .scores(merges());
        Map<String, GgufValue> keys = new LinkedHashMap<>();
        keys.put("add_space_prefix", GgufValue.of(texts.prefixes()));
        keys.put("model", GgufValue.of("llama"));
        keys.put("pre", GgufValue.of("default"));
        keys.put("scores", floats(scores));
        return keys;
    }

    /// @param part of tokenizer.json
    private void requireOff(JsonNode part, String... settings) {
        for (String name : settings) {
            JsonNode setting = part.path(name);
            boolean off = setting.isMissingNode()
                    || setting.isNull()
                    || setting.asString().isEmpty();
            if (!off && !setting.asString().equals("false") && setting.asDouble(1) != 0) {
                throw refused("has %s: %s%s, which llama.cpp does not know"
                        .formatted(
                                name,
                                setting,
                                part.has("content") ? " in the added token " + part.path("content") : ""));
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
        JsonNode single = template();
        keys.put(PREFIX + "add_bos_token", GgufValue.of(isSpecial(single.path(0))));
        if (isSpecial(single.path(single.size() - 1))) {
            keys.put(PREFIX + "add_eos_token", GgufValue.of(true));
        }
        kind.forEach((name, value) -> keys.put(PREFIX + name, value));
        keys.put(PREFIX + "tokens", GgufValue.of(tokens));
        keys.put(PREFIX + "token_type", ints(types));
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

    private static GgufValue floats(float[] values) {
        List<GgufValue> list = new ArrayList<>();
        for (float value : values) {
            list.add(GgufValue.of(value));
        }
        return new GgufValue.Array(GgufValue.Type.FLOAT32, list);
    }

    private ObjectNode json(String name) {
        return Files.exists(folder.resolve(name)) ? Json.readObject(folder.resolve(name)) : Json.object();
    }

    private InputException refused(String why) {
        return new InputException("format: gguf cannot hold the tokenizer: %s %s. Use format=hf."
                .formatted(folder.resolve("tokenizer.json"), why));
    }
}
