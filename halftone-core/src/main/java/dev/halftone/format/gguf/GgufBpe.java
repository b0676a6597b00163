package dev.halftone.format.gguf;

import dev.halftone.format.Json;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/// The kinds of BPE in GGUF files, and what each puts into a tokenizer.json.
sealed interface GgufBpe {
    /// First to last, each as its two parts with a space between.
    List<String> merges();

    /// Whether texts begin with the first token where the file does not say.
    boolean addsBos();

    /// Sets what is done to texts before merging and after decoding, and how merging is done.
    void writeTo(ObjectNode tokenizer);

    /// Over bytes spelled as letters ("gpt2"). What text is split into before merging is not in the file, only a name
    /// for it.
    record ByteLevel(PreTokenizer preTokenizer, List<String> merges) implements GgufBpe {
        @Override
        public boolean addsBos() {
            return preTokenizer.addsBos();
        }

        @Override
        public void writeTo(ObjectNode tokenizer) {
            if (preTokenizer.normalizes()) {
                tokenizer.putObject("normalizer").put("type", "NFC");
            }
            tokenizer.set("pre_tokenizer", preTokenizer.json());
            tokenizer.set("decoder", Json.parseObject("""
                    {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}"""));
            tokenizer.withObject("model").put("ignore_merges", preTokenizer.ignoresMerges());
        }
    }

    /// SentencePiece's ("llama"), over characters, with a token for each byte of those that are none.
    ///
    /// @param unknown the token that stands for what has no other
    record Scored(SentencePiece texts, List<String> merges, Optional<String> unknown) implements GgufBpe {
        @Override
        public boolean addsBos() {
            return true;
        }

        @Override
        public void writeTo(ObjectNode tokenizer) {
            tokenizer.set("normalizer", texts.normalizer());
            tokenizer.set("decoder", texts.decoder());
            ObjectNode model = tokenizer.withObject("model");
            unknown.ifPresent(token -> model.put("unk_token", token));
            model.put("fuse_unk", true).put("byte_fallback", true);
        }
    }
}
