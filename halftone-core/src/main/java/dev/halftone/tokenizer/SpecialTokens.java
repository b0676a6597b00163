package dev.halftone.tokenizer;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/// The special tokens that a Hugging Face folder names (`bos_token`, `eos_token`, `pad_token`, …), by
/// `tokenizer_config.json` and, for those it leaves out, `special_tokens_map.json`.
///
/// Chat templates see them as variables of these names.
///
/// @param tokens token texts by role, in the files' order
public record SpecialTokens(Map<String, String> tokens) {
    private static final List<String> ROLES =
            List.of("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token");

    public SpecialTokens {
        tokens = Collections.unmodifiableMap(new LinkedHashMap<>(tokens));
    }

    /// Reads the two files as far as they exist.
    ///
    /// @throws InputException if one is not JSON
    public static SpecialTokens read(Path folder) {
        Map<String, String> tokens = new LinkedHashMap<>();
        for (String file : List.of("tokenizer_config.json", "special_tokens_map.json")) {
            JsonNode config = readIfPresent(folder.resolve(file));
            for (String role : ROLES) {
                JsonNode token = config.path(role);
                JsonNode text = token.isObject() ? token.path("content") : token;
                if (text.isString()) {
                    tokens.putIfAbsent(role, text.asString());
                }
            }
        }
        return new SpecialTokens(tokens);
    }

    /// One of `generation_config.json`'s or `config.json`'s token ids: the first file that has the key decides,
    /// as in transformers.
    ///
    /// @param key `bos_token_id` or `eos_token_id`
    /// @return the ids: none, one, or for `eos_token_id` several
    static List<Integer> configuredIds(Path folder, String key) {
        for (String file : List.of("generation_config.json", "config.json")) {
            JsonNode value = readIfPresent(folder.resolve(file)).path(key);
            if (value.isMissingNode() || value.isNull()) {
                continue;
            }
            List<Integer> ids = new ArrayList<>();
            for (JsonNode id : value.isArray() ? value : List.of(value)) {
                if (!id.isInt()) {
                    throw new InputException(
                            "%s: '%s' is %s, which is not a token id. Write a number or a list of numbers."
                                    .formatted(folder.resolve(file), key, id));
                }
                ids.add(id.intValue());
            }
            return ids;
        }
        return List.of();
    }

    private static JsonNode readIfPresent(Path file) {
        return Files.exists(file) ? Json.readObject(file) : Json.object();
    }
}
