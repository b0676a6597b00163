package dev.halftone.format.gguf;

import dev.halftone.InputException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// A tokenizer, rebuilt from the vocabulary in a GGUF file: byte-level BPE, or SentencePiece's ([GgufBpe]).
final class GgufTokenizer {
    private static final String PREFIX = "tokenizer.ggml.";

    /// ggml's numbers for tokens that are found in text before it is split: the unknown one and control tokens,
    /// which decoding may skip, and others.
    private static final long UNKNOWN = 2;
    private static final long CONTROL = 3;
    private static final long USER_DEFINED = 4;
    private static final long UNUSED = 5;

    private final GgufMetadata metadata;
    private final List<String> tokens;
    private final long[] types;
    private final GgufBpe bpe;
    private final Map<String, Integer> ids = new HashMap<>();

    /// @param vocab how many tokens the model has embeddings for
    /// @throws InputException if the file's tokenizer is of another kind, or contradicts itself
    GgufTokenizer(GgufMetadata metadata, long vocab) {
        this.metadata = metadata;
        this.tokens = texts("tokens");
        this.types = metadata.wholes(PREFIX + "token_type").orElseGet(() -> new long[tokens.size()]);
        if (types.length != tokens.size() || tokens.size() > vocab) {
            throw bad(
                    "it has %d tokens, %d token types and %d embeddings".formatted(tokens.size(), types.length, vocab));
        }
        for (int id = 0; id < tokens.size(); id++) {
            if (ids.put(tokens.get(id), id) != null) {
                throw bad("it has the token '%s' twice".formatted(tokens.get(id)));
            }
        }
        String kind = metadata.text(PREFIX + "model").orElseThrow(() -> metadata.missing(PREFIX + "model"));
        this.bpe = switch (kind) {
            case "gpt2" -> new GgufBpe.ByteLevel(PreTokenizer.of(metadata), texts("merges"));
            case "llama" -> new GgufBpe.Scored(SentencePiece.of(metadata), mergesOfScores(), token("unknown"));
            default ->
                throw bad(
                        "its tokenizer is of the kind '%s', and only 'gpt2' (byte-level BPE) and 'llama' (SentencePiece's) can be rebuilt"
                                .formatted(kind));
        };
        bpe.merges().forEach(this::checkMerge);
    }

    private List<String> mergesOfScores() {
        double[] scores = metadata.reals(PREFIX + "scores").orElseThrow(() -> metadata.missing(PREFIX + "scores"));
        if (scores.length != tokens.size()) {
            throw bad("it has %d tokens and %d scores".formatted(tokens.size(), scores.length));
        }
        return new ScoredMerges(tokens, this::isAdded, this::bad).ofScores(scores);
    }

    /// Both parts and what they make must be tokens: tokenizers would not load the file otherwise.
    private void checkMerge(String merge) {
        int space = merge.indexOf(' ');
        boolean valid = space > 0
                && merge.indexOf(' ', space + 1) < 0
                && ids.containsKey(merge.substring(0, space))
                && ids.containsKey(merge.substring(space + 1))
                && ids.containsKey(merge.substring(0, space) + merge.substring(space + 1));
        if (!valid) {
            throw bad("its merge '%s' does not make a token of two".formatted(merge));
        }
    }

    /// Writes what transformers needs to encode, decode and render chats.
    void writeInto(Path folder) {
        AtomicFiles.writeString(
                folder.resolve("tokenizer.json"), tokenizerJson().toString());
        Json.write(folder.resolve("tokenizer_config.json"), tokenizerConfig());
        ObjectNode special = Json.object();
        specialTokens().forEach(special::put);
        Json.write(folder.resolve("special_tokens_map.json"), special);
        chatTemplate().ifPresent(template -> AtomicFiles.writeString(folder.resolve("chat_template.jinja"), template));
    }

    private ObjectNode tokenizerJson() {
        ObjectNode root = Json.parseObject("""
                {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
                 "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
                 "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                   "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false}}""");
        ArrayNode added = root.withArray("added_tokens");
        for (int id = 0; id < tokens.size(); id++) {
            if (isAdded(id)) {
                added.addObject().put("id", id).setAll(addedToken(id));
            }
        }
        bpe.writeTo(root);
        root.set("post_processor", postProcessor());
        ObjectNode model = root.withObject("model");
        ObjectNode vocab = model.putObject("vocab");
        for (int id = 0; id < tokens.size(); id++) {
            if (!fillsUp(id)) {
                vocab.put(tokens.get(id), id);
            }
        }
        bpe.merges().forEach(model.putArray("merges")::add);
        return root;
    }

    private boolean isAdded(int id) {
        return types[id] == UNKNOWN || types[id] == CONTROL || types[id] == USER_DEFINED;
    }

    /// Whether llama.cpp's converter made it up, for a row of the embedding table that has no token.
    private boolean fillsUp(int id) {
        return types[id] == UNUSED && tokens.get(id).equals("[PAD" + id + "]");
    }

    private ObjectNode addedToken(int id) {
        return Json.object()
                .put("content", tokens.get(id))
                .put("single_word", false)
                .put("lstrip", false)
                .put("rstrip", false)
                .put("normalized", false)
                .put("special", types[id] != USER_DEFINED);
    }

    /// Puts the first and last token around every text, where the file wants that; null where it wants neither.
    private @Nullable ObjectNode postProcessor() {
        boolean bos = metadata.bool(PREFIX + "add_bos_token").orElse(bpe.addsBos());
        boolean eos = metadata.bool(PREFIX + "add_eos_token").orElse(false);
        if (!bos && !eos) {
            return null;
        }
        List<String> around = new ArrayList<>();
        ObjectNode processor = Json.object().put("type", "TemplateProcessing");
        ArrayNode single = processor.putArray("single");
        ArrayNode pair = processor.putArray("pair");
        for (int sequence = 0; sequence < 2; sequence++) {
            List<ObjectNode> parts = new ArrayList<>();
            if (bos) {
                parts.add(part("SpecialToken", required("bos"), sequence));
                around.add(required("bos"));
            }
            parts.add(part("Sequence", sequence == 0 ? "A" : "B", sequence));
            if (eos) {
                parts.add(part("SpecialToken", required("eos"), sequence));
                around.add(required("eos"));
            }
            pair.addAll(parts);
            if (sequence == 0) {
                single.addAll(parts);
            }
        }
        ObjectNode used = processor.putObject("special_tokens");
        for (String token : around) {
            ObjectNode entry = used.putObject(token).put("id", token);
            entry.putArray("ids").add(ids.get(token));
            entry.putArray("tokens").add(token);
        }
        return processor;
    }

    private static ObjectNode part(String kind, String id, int sequence) {
        ObjectNode part = Json.object();
        part.putObject(kind).put("id", id).put("type_id", sequence);
        return part;
    }

    private ObjectNode tokenizerConfig() {
        ObjectNode config = Json.object();
        if (bpe instanceof GgufBpe.ByteLevel) {
            config.put("add_prefix_space", false);
        }
        ObjectNode added = config.putObject("added_tokens_decoder");
        for (int id = 0; id < tokens.size(); id++) {
            if (isAdded(id)) {
                added.set(Integer.toString(id), addedToken(id));
            }
        }
        specialTokens().forEach(config::put);
        chatTemplate().ifPresent(template -> config.put("chat_template", template));
        config.put("clean_up_tokenization_spaces", false);
        metadata.text("general.architecture")
                .flatMap(a -> metadata.whole(a + ".context_length"))
                .ifPresent(length -> config.put("model_max_length", length));
        // Decoders take no token types, which this class would otherwise produce.
        config.putArray("model_input_names").add("input_ids").add("attention_mask");
        config.put("tokenizer_class", "PreTrainedTokenizerFast");
        return config;
    }

    /// Role, as transformers names it, to token.
    private Map<String, String> specialTokens() {
        Map<String, String> special = new LinkedHashMap<>();
        token("bos").ifPresent(t -> special.put("bos_token", t));
        token("eos").ifPresent(t -> special.put("eos_token", t));
        token("padding").ifPresent(t -> special.put("pad_token", t));
        token("unknown").ifPresent(t -> special.put("unk_token", t));
        return special;
    }

    private Optional<String> token(String role) {
        return metadata.whole(PREFIX + role + "_token_id").map(id -> {
            if (id >= tokens.size()) {
                throw bad("its %s token is %d of %d".formatted(role, id, tokens.size()));
            }
            return tokens.get(id.intValue());
        });
    }

    private String required(String role) {
        return token(role).orElseThrow(() -> metadata.missing(PREFIX + role + "_token_id"));
    }

    private Optional<String> chatTemplate() {
        return metadata.text("tokenizer.chat_template");
    }

    private List<String> texts(String name) {
        return metadata.texts(PREFIX + name).orElseThrow(() -> metadata.missing(PREFIX + name));
    }

    private InputException bad(String what) {
        return new InputException(
                "%s cannot be imported: %s. Start from the original checkpoint.".formatted(metadata.file(), what));
    }
}
