package dev.halftone.format.gguf;

import dev.halftone.InputException;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The model families that are read and written: decoders with the same tensors as Llama, give or take
/// biases and norms.
public enum Architecture {
    /// Also Mistral and everything else that llama.cpp converts as `llama`.
    LLAMA("llama", "LlamaForCausalLM", true),
    QWEN2("qwen2", "Qwen2ForCausalLM", false),
    QWEN3("qwen3", "Qwen3ForCausalLM", false),
    /// Llama whose every fourth layer has no rotary positions: llama.cpp knows no other interval.
    SMOLLM3("smollm3", "SmolLM3ForCausalLM", true),
    OLMO2("olmo2", "Olmo2ForCausalLM", false);

    private static final Pattern IN_LAYER = Pattern.compile("model\\.layers\\.(\\d+)\\.(.+)");
    private static final Map<String, String> OUTSIDE = Map.of(
            "model.embed_tokens", "token_embd",
            "model.norm", "output_norm",
            "lm_head", "output");
    private static final Map<String, String> LINEAR = Map.of(
            "self_attn.q_proj", "attn_q",
            "self_attn.k_proj", "attn_k",
            "self_attn.v_proj", "attn_v",
            "self_attn.o_proj", "attn_output",
            "mlp.gate_proj", "ffn_gate",
            "mlp.up_proj", "ffn_up",
            "mlp.down_proj", "ffn_down");
    private static final Map<String, String> HEAD_NORMS =
            Map.of("self_attn.q_norm", "attn_q_norm", "self_attn.k_norm", "attn_k_norm");
    private static final Map<String, String> NORMS_BEFORE =
            Map.of("input_layernorm", "attn_norm", "post_attention_layernorm", "ffn_norm");
    private static final Map<String, String> NORMS_AFTER =
            Map.of("post_attention_layernorm", "post_attention_norm", "post_feedforward_layernorm", "post_ffw_norm");

    private final String label;
    private final String className;
    private final boolean permuted;

    Architecture(String label, String className, boolean permuted) {
        this.label = label;
        this.className = className;
        this.permuted = permuted;
    }

    /// @throws InputException if the file's architecture is missing or cannot be imported
    static Architecture of(GgufMetadata metadata) {
        String name = metadata.text("general.architecture").orElseThrow(() -> metadata.missing("general.architecture"));
        return Arrays.stream(values())
                .filter(a -> a.label.equals(name))
                .findFirst()
                .orElseThrow(() ->
                        new InputException("%s has the architecture '%s', which cannot be imported. Supported: %s."
                                .formatted(
                                        metadata.file(),
                                        name,
                                        Arrays.stream(values())
                                                .map(Architecture::label)
                                                .collect(Collectors.joining(", ")))));
    }

    /// The architecture that a model of this `model_type` is written as.
    public static Optional<Architecture> ofModelType(String modelType) {
        return Arrays.stream(values())
                .filter(a -> a.label.equals(modelType.equals("mistral") ? "llama" : modelType))
                .findFirst();
    }

    /// llama.cpp's name of a tensor (its `llama-arch.cpp`); empty where the architecture has none such.
    ///
    /// @param hf its name in transformers, such as `model.layers.0.mlp.up_proj.weight`
    public Optional<String> tensorName(String hf) {
        int dot = hf.lastIndexOf('.');
        String suffix = hf.substring(dot);
        Matcher layer = IN_LAYER.matcher(hf.substring(0, dot));
        if (!layer.matches()) {
            return suffix.equals(".weight")
                    ? Optional.ofNullable(OUTSIDE.get(hf.substring(0, dot))).map(name -> name + suffix)
                    : Optional.empty();
        }
        String part = layer.group(2);
        String name = LINEAR.get(part);
        if (name == null && suffix.equals(".weight")) {
            name = (this == OLMO2 ? NORMS_AFTER : NORMS_BEFORE).get(part);
        }
        if (name == null && suffix.equals(".weight") && qkNorm()) {
            name = HEAD_NORMS.get(part);
        }
        return name == null || suffix.equals(".bias") && !biased(part)
                ? Optional.empty()
                : Optional.of("blk." + layer.group(1) + "." + name + suffix);
    }

    private boolean biased(String linear) {
        return this == LLAMA || this == QWEN2 && linear.matches("self_attn\\.[qkv]_proj");
    }

    /// How many heads of a tensor llama.cpp's converter interleaves the two halves of: 0 where it leaves
    /// the rows.
    ///
    /// @param hf its name in transformers
    public long permutedHeads(String hf, long heads, long kvHeads) {
        return !permuted ? 0 : hf.contains(".q_proj.") ? heads : hf.contains(".k_proj.") ? kvHeads : 0;
    }

    /// Where row `r` of a tensor in transformers stands in the file: row `i` of half `p` of a head is at `2
    /// i + p`.
    ///
    /// @param rows of the tensor
    /// @param permutedHeads from [#permutedHeads]
    public static long fileRow(long r, long rows, long permutedHeads) {
        if (permutedHeads == 0) {
            return r;
        }
        long headDim = rows / permutedHeads;
        long half = headDim / 2;
        long inHead = r % headDim;
        return r - inHead + 2 * (inHead % half) + inHead / half;
    }

    /// The inverse of [#fileRow].
    public static long modelRow(long r, long rows, long permutedHeads) {
        if (permutedHeads == 0) {
            return r;
        }
        long headDim = rows / permutedHeads;
        long inHead = r % headDim;
        return r - inHead + inHead % 2 * (headDim / 2) + inHead / 2;
    }

    /// The name in `general.architecture`, before each of its keys, and as `model_type` in `config.json`.
    public String label() {
        return label;
    }

    /// The class in transformers.
    String className() {
        return className;
    }

    /// Whether queries, keys and values always have a bias.
    boolean qkvBias() {
        return this == QWEN2;
    }

    /// Whether queries and keys are normalized: head by head, in OLMo 2 all heads together.
    boolean qkNorm() {
        return this == QWEN3 || this == OLMO2;
    }
}
