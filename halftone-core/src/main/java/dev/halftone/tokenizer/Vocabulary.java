package dev.halftone.tokenizer;

import dev.halftone.InputException;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.databind.json.JsonMapper;

/// What `tokenizer.json` says about its tokens, as far as the native tokenizer does not tell.
///
/// Read in one pass without a tree, for the merges of a large vocabulary would fill a hundred megabytes.
///
/// @param size one more than the largest id
/// @param added ids of the added tokens (most of them special) by text
/// @param bytes ids of the tokens `<0x00>` to `<0xFF>`, empty unless the decoder falls back to bytes
record Vocabulary(int size, Map<String, Integer> added, BitSet bytes) {
    /// @throws InputException if the file is not a tokenizer in Hugging Face's format
    static Vocabulary read(Path file) {
        Reader reader = new Reader();
        try (JsonParser json = JsonMapper.shared().createParser(file)) {
            reader.object(json);
        } catch (JacksonException e) {
            throw new InputException(
                    "%s is not valid JSON (%s). Download it again.".formatted(file, e.getOriginalMessage()), e);
        }
        if (reader.size == 0) {
            throw new InputException(
                    "%s holds no vocabulary. It must be a tokenizer.json as Hugging Face's tokenizers library writes it."
                            .formatted(file));
        }
        return new Vocabulary(reader.size, reader.added, reader.byteFallback ? reader.bytes : new BitSet());
    }

    OptionalInt addedId(String token) {
        Integer id = added.get(token);
        return id == null ? OptionalInt.empty() : OptionalInt.of(id);
    }

    private static final class Reader {
        private final Map<String, Integer> added = new HashMap<>();
        private final BitSet bytes = new BitSet();
        private int size;
        private boolean byteFallback;

        void object(JsonParser json) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                return;
            }
            while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = json.currentName();
                JsonToken value = json.nextToken();
                switch (name) {
                    case "added_tokens" -> addedTokens(json);
                    case "model" -> model(json);
                    case "decoder" ->
                        byteFallback = json.readValueAsTree().toString().contains("\"ByteFallback\"");
                    default -> {
                        if (value.isStructStart()) {
                            json.skipChildren();
                        }
                    }
                }
            }
        }

        private void addedTokens(JsonParser json) {
            if (json.currentToken() != JsonToken.START_ARRAY) {
                return;
            }
            while (json.nextToken() == JsonToken.START_OBJECT) {
                String content = "";
                int id = -1;
                while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                    String name = json.currentName();
                    JsonToken value = json.nextToken();
                    if (name.equals("content") && value == JsonToken.VALUE_STRING) {
                        content = json.getString();
                    } else if (name.equals("id") && value == JsonToken.VALUE_NUMBER_INT) {
                        id = json.getIntValue();
                    }
                }
                added.put(content, id);
                size = Math.max(size, id + 1);
            }
        }

        private void model(JsonParser json) {
            if (json.currentToken() != JsonToken.START_OBJECT) {
                return;
            }
            while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                boolean vocab = json.currentName().equals("vocab");
                JsonToken value = json.nextToken();
                if (vocab && value == JsonToken.START_OBJECT) {
                    idsByToken(json);
                } else if (vocab && value == JsonToken.START_ARRAY) {
                    scoredTokens(json);
                } else if (value.isStructStart()) {
                    json.skipChildren();
                }
            }
        }

        /// `{"token": id, …}`: BPE, WordPiece and WordLevel.
        private void idsByToken(JsonParser json) {
            while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                String token = json.currentName();
                if (json.nextToken() == JsonToken.VALUE_NUMBER_INT) {
                    token(token, json.getIntValue());
                }
            }
        }

        /// `[["token", score], …]`: Unigram, where the place is the id.
        private void scoredTokens(JsonParser json) {
            for (int id = 0; json.nextToken() == JsonToken.START_ARRAY; id++) {
                if (json.nextToken() == JsonToken.VALUE_STRING) {
                    token(json.getString(), id);
                }
                while (json.nextToken() != JsonToken.END_ARRAY) {
                    // The score.
                }
            }
        }

        private void token(String token, int id) {
            size = Math.max(size, id + 1);
            if (token.length() == 6 && token.startsWith("<0x") && token.endsWith(">")) {
                bytes.set(id);
            }
        }
    }
}
