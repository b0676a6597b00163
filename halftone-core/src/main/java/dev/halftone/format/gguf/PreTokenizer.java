package dev.halftone.format.gguf;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// How text is split before byte-level BPE merges it, which `tokenizer.ggml.pre` names: as the
/// tokenizer.json of the models has it that the names stand for.
public enum PreTokenizer {
    /// GPT-2's rules. SmolLM first splits every numeral off; transformers does not, and neither do we: its
    /// vocabulary has no token of a digit and something else, so the ids are the same, but for rare numerals such
    /// as ½, of which llama.cpp makes what we make.
    GPT2("gpt-2", "smollm"),
    /// GPT-2's rules after every numeral is split off: what a tokenizer.json of SmolLM's own has, for writing.
    SMOLLM("smollm"),
    /// Up to three digits together. Texts begin with the first token, and a piece of text that is a token
    /// is taken as it is, merges or not.
    LLAMA3("llama-bpe", "llama3", "llama-v3"),
    /// Llama 3's rules with single digits, on text in Unicode's normal form C.
    QWEN2("qwen2"),
    /// Llama 3's rules, and merges that decide alone: OLMo 2's.
    DBRX("dbrx");

    private static final String KEY = "tokenizer.ggml.pre";

    @SuppressWarnings("ImmutableEnumChecker") // List.of
    private final List<String> names;

    PreTokenizer(String... names) {
        this.names = List.of(names);
    }

    /// @throws InputException if the file names none, or one that is not known
    static PreTokenizer of(GgufMetadata metadata) {
        String name = metadata.text(KEY).orElseThrow(() -> metadata.missing(KEY));
        return Arrays.stream(values())
                .filter(p -> p.names.contains(name))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "%s: '%s' is '%s', which is not known (%s are). Start from the original checkpoint."
                                .formatted(
                                        metadata.file(),
                                        KEY,
                                        name,
                                        Arrays.stream(values())
                                                .flatMap(p -> p.names.stream())
                                                .collect(Collectors.joining(", ")))));
    }

    /// That of a tokenizer.json; empty where none of these splits as it does.
    public static Optional<PreTokenizer> of(JsonNode tokenizer) {
        boolean ignoresMerges = tokenizer.at("/model/ignore_merges").asBoolean(false);
        boolean normalizes = tokenizer.at("/normalizer/type").asString("").equals("NFC");
        boolean otherwise = !normalizes && !tokenizer.path("normalizer").isNull();
        return Arrays.stream(values())
                .filter(p -> !otherwise && p.normalizes() == normalizes && p.ignoresMerges() == ignoresMerges)
                .filter(p -> essence(p.json()).equals(essence(tokenizer.path("pre_tokenizer"))))
                .findFirst();
    }

    /// A pre-tokenizer without what only concerns offsets.
    private static JsonNode essence(JsonNode preTokenizer) {
        JsonNode copy = preTokenizer.deepCopy();
        copy.findParents("trim_offsets").forEach(node -> ((ObjectNode) node).remove("trim_offsets"));
        return copy;
    }

    /// The name in files.
    public String label() {
        return names.getFirst();
    }

    /// The `pre_tokenizer` of tokenizer.json.
    ObjectNode json() {
        return switch (this) {
            case GPT2 -> byteLevel(true);
            case SMOLLM ->
                sequence(Json.object().put("type", "Digits").put("individual_digits", true), byteLevel(true));
            case LLAMA3, DBRX -> sequence(split("\\p{N}{1,3}"), byteLevel(false));
            case QWEN2 -> sequence(split("\\p{N}"), byteLevel(false));
        };
    }

    /// Whether text is brought to normal form C first.
    boolean normalizes() {
        return this == QWEN2;
    }

    /// Whether a piece of text that is a token is taken as it is, merges or not.
    boolean ignoresMerges() {
        return this == LLAMA3;
    }

    /// Whether texts begin with the first token where the file does not say.
    boolean addsBos() {
        return this == LLAMA3;
    }

    private static ObjectNode sequence(ObjectNode first, ObjectNode second) {
        ObjectNode sequence = Json.object().put("type", "Sequence");
        ArrayNode parts = sequence.putArray("pretokenizers");
        parts.add(first);
        parts.add(second);
        return sequence;
    }

    private static ObjectNode split(String digits) {
        ObjectNode split = Json.object().put("type", "Split");
        split.putObject("pattern")
                .put(
                        "Regex",
                        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" + digits
                                + "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+");
        return split.put("behavior", "Isolated").put("invert", false);
    }

    /// Spells bytes as letters; splits by GPT-2's rules too if `useRegex`.
    private static ObjectNode byteLevel(boolean useRegex) {
        return Json.object()
                .put("type", "ByteLevel")
                .put("add_prefix_space", false)
                .put("trim_offsets", true)
                .put("use_regex", useRegex);
    }
}
