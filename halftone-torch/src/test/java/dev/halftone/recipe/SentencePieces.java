package dev.halftone.recipe;

import dev.halftone.Golden;
import dev.halftone.format.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// A small tokenizer that sentencepiece trained and transformers converted, and texts for it.
final class SentencePieces {
    static final Path FOLDER = Golden.path("tokenizer/sentencepiece");

    private SentencePieces() {}

    /// @param prefixed as it is; otherwise that which puts no space before texts
    static Path tokenizer(Path dir, boolean prefixed) {
        ObjectNode tokenizer = Json.readObject(FOLDER.resolve("tokenizer.json"));
        if (!prefixed) {
            ((ArrayNode) tokenizer.at("/normalizer/normalizers")).remove(0);
            ((ArrayNode) tokenizer.at("/decoder/decoders")).remove(3);
        }
        Path file = dir.resolve("tokenizer.json");
        Json.write(file, tokenizer);
        return file;
    }

    /// Texts, and their ids by tokenizers in Python.
    static Map<String, int[]> cases() {
        Map<String, int[]> cases = new LinkedHashMap<>();
        Json.readObject(FOLDER.resolve("cases.json"))
                .path("cases")
                .forEach(c -> cases.put(
                        c.path("text").asString(),
                        c.path("with_special").values().stream()
                                .mapToInt(id -> id.asInt())
                                .toArray()));
        return cases;
    }

    /// Those of the cases, runs of one character, special tokens beside spaces and each other, and random words,
    /// characters and tokens.
    static List<String> texts() {
        List<String> texts = new ArrayList<>(cases().keySet());
        for (String run : List.of(" ", "a", "-", ".", "\n", "\u2581", "0", "é")) {
            for (int n = 1; n <= 40; n++) {
                texts.add(run.repeat(n));
                texts.add("the" + run.repeat(n) + "end");
            }
        }
        List<String> special = List.of("<s>", "</s>", "<unk>", "<|im_start|>", "[INST]", "<0x41>");
        for (String token : special) {
            texts.addAll(
                    List.of(token + token, token + "a", token + " a", "a" + token, " " + token + " ", token + "  "));
        }
        List<String> parts = new ArrayList<>(special);
        parts.addAll(
                List.of(" ", "  ", "a", "aa", "-", ".", "\n", "\t", "the", "and", " of", "é", "日", "😀", "▁", "7"));
        Random random = new Random(1);
        for (int i = 0; i < 400; i++) {
            StringBuilder text = new StringBuilder();
            for (int n = random.nextInt(1, 25); n > 0; n--) {
                text.append(
                        random.nextInt(3) == 0
                                ? (char) random.nextInt(' ', 0x180)
                                : parts.get(random.nextInt(parts.size())));
            }
            texts.add(text.toString());
        }
        return texts;
    }
}
