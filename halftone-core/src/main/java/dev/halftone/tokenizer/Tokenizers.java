package dev.halftone.tokenizer;

import dev.halftone.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;

/// Loads tokenizers.
public final class Tokenizers {
    static {
        // DJL reports its use to a server of its makers and may download natives, unless told otherwise before its
        // classes are initialised. A training tool in somebody's data centre must do neither.
        System.setProperty("ai.djl.offline", "true");
        System.setProperty("OPT_OUT_TRACKING", "true");
    }

    private Tokenizers() {}

    /// Loads the tokenizer of a model folder in Hugging Face's layout.
    ///
    /// Text is encoded and decoded by `tokenizer.json` alone. Which ids begin and end a sequence is in the files
    /// beside it, all optional: the token texts in `tokenizer_config.json` or `special_tokens_map.json`, the ids
    /// in `generation_config.json` or `config.json` (where the end may be a list).
    ///
    /// @throws InputException if the folder has no `tokenizer.json`, or one of the files is corrupt
    public static Tokenizer load(Path folder) {
        Path file = folder.resolve("tokenizer.json");
        if (!Files.isRegularFile(file)) {
            throw new InputException(
                    ("%s has no tokenizer.json. Name a Hugging Face model folder with one (older models ship only a"
                                    + " tokenizer.model: convert it with transformers).")
                            .formatted(folder));
        }
        Vocabulary vocabulary = Vocabulary.read(file);
        SpecialTokens special = SpecialTokens.read(folder);
        OptionalInt bos = idOf(special, "bos_token", vocabulary);
        OptionalInt eos = idOf(special, "eos_token", vocabulary);
        List<Integer> configuredBos = SpecialTokens.configuredIds(folder, "bos_token_id");
        List<Integer> configuredEos = SpecialTokens.configuredIds(folder, "eos_token_id");
        Set<Integer> ends = new LinkedHashSet<>();
        eos.ifPresent(ends::add);
        ends.addAll(configuredEos);
        return NativeTokenizer.load(
                file, vocabulary, bos.isPresent() ? bos : first(configuredBos), first(List.copyOf(ends)), ends);
    }

    private static OptionalInt idOf(SpecialTokens special, String role, Vocabulary vocabulary) {
        String token = special.tokens().get(role);
        return token == null ? OptionalInt.empty() : vocabulary.addedId(token);
    }

    private static OptionalInt first(List<Integer> ids) {
        return ids.isEmpty() ? OptionalInt.empty() : OptionalInt.of(ids.getFirst());
    }
}
