package dev.halftone.format.gguf;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/// A GGUF file read as a language model: its sizes, and the tensors that a model of these sizes has.
///
/// llama.cpp's names, in its `llama-arch.cpp`, against those of transformers' modules.
final class GgufModel {
    private final GgufFile file;
    private final GgufMetadata metadata;
    private final Architecture architecture;
    private final long layers;
    private final long hidden;
    private final long intermediate;
    private final long heads;
    private final long kvHeads;
    private final long headDim;
    private final long vocab;

    /// @throws InputException if a size is missing, or the file has what `config.json` cannot express
    GgufModel(GgufFile file) {
        this.file = file;
        this.metadata = file.metadata();
        this.architecture = Architecture.of(metadata);
        this.layers = size("block_count");
        this.hidden = size("embedding_length");
        this.intermediate = size("feed_forward_length");
        this.heads = size("attention.head_count");
        this.kvHeads = metadata.whole(key("attention.head_count_kv")).orElse(heads);
        this.headDim = metadata.whole(key("attention.key_length")).orElse(hidden / heads);
        long[] embedding = file.info("token_embd.weight").shape();
        this.vocab = embedding.length == 2 ? embedding[0] : 0;
        require("expert_count", 0);
        require("attention.value_length", headDim);
        require("rope.dimension_count", headDim);
        boolean plausible = vocab > 0
                && kvHeads > 0
                && heads % kvHeads == 0
                && headDim > 0
                && headDim % 2 == 0
                && layers <= file.tensors().size();
        if (!plausible) {
            throw new InputException(
                    "%s claims %d layers, %d heads, %d key heads of %d and a vocabulary of %d, no model. Fetch it again."
                            .formatted(file.path(), layers, heads, kvHeads, headDim, vocab));
        }
    }

    /// Where a tensor comes from and goes to.
    ///
    /// @param gguf its name in the file
    /// @param hf its name in a Hugging Face checkpoint
    /// @param shape which it must have
    /// @param permutedHeads heads whose rows llama.cpp's converter interleaved, 0 where it left them
    record Slot(String gguf, String hf, long[] shape, long permutedHeads) {
        /// Where row `r` stands in the file.
        long fileRow(long r) {
            return Architecture.fileRow(r, shape[0], permutedHeads);
        }

        /// Weights in a row.
        int columns() {
            return Math.toIntExact(Arrays.stream(shape).skip(1).reduce(1, Math::multiplyExact));
        }
    }

    Architecture architecture() {
        return architecture;
    }

    /// Rows of the embedding, which may be more than the tokenizer has tokens.
    long vocab() {
        return vocab;
    }

    /// All tensors of the model, in the order of its layers.
    ///
    /// @throws InputException if the file lacks one, has one of another shape, or has one that does not belong here
    List<Slot> slots() {
        List<Slot> slots = new ArrayList<>();
        add(slots, "model.embed_tokens.weight", vocab, hidden);
        for (int i = 0; i < layers; i++) {
            addLayer(slots, "model.layers.%d.".formatted(i));
        }
        add(slots, "model.norm.weight", hidden);
        if (!tied()) {
            add(slots, "lm_head.weight", vocab, hidden);
        }
        checkAllUsed(slots);
        return slots;
    }

    private void addLayer(List<Slot> slots, String layer) {
        long queries = heads * headDim;
        long keys = kvHeads * headDim;
        if (architecture != Architecture.OLMO2) {
            add(slots, layer + "input_layernorm.weight", hidden);
        }
        addLinear(slots, layer + "self_attn.q_proj", qkvBias(), queries, hidden);
        addLinear(slots, layer + "self_attn.k_proj", qkvBias(), keys, hidden);
        addLinear(slots, layer + "self_attn.v_proj", qkvBias(), keys, hidden);
        addLinear(slots, layer + "self_attn.o_proj", attentionBias(), hidden, queries);
        if (architecture.qkNorm()) {
            boolean together = architecture == Architecture.OLMO2;
            add(slots, layer + "self_attn.q_norm.weight", together ? queries : headDim);
            add(slots, layer + "self_attn.k_norm.weight", together ? keys : headDim);
        }
        add(slots, layer + "post_attention_layernorm.weight", hidden);
        addLinear(slots, layer + "mlp.gate_proj", mlpBias(), intermediate, hidden);
        addLinear(slots, layer + "mlp.up_proj", mlpBias(), intermediate, hidden);
        addLinear(slots, layer + "mlp.down_proj", mlpBias(), hidden, intermediate);
        if (architecture == Architecture.OLMO2) {
            add(slots, layer + "post_feedforward_layernorm.weight", hidden);
        }
    }

    private void addLinear(List<Slot> slots, String layer, boolean bias, long out, long in) {
        add(slots, layer + ".weight", out, in);
        if (bias) {
            add(slots, layer + ".bias", out);
        }
    }

    private void add(List<Slot> slots, String hf, long... shape) {
        String name = architecture
                .tensorName(hf)
                .orElseThrow(() -> new InputException("%s: a %s model has no '%s'. Start from the original checkpoint."
                        .formatted(file.path(), architecture.label(), hf)));
        GgufTensor tensor = file.info(name);
        if (!Arrays.equals(tensor.shape(), shape)) {
            throw new InputException("%s: tensor '%s' has the shape %s where the metadata make it %s. Fetch it again."
                    .formatted(file.path(), name, Arrays.toString(tensor.shape()), Arrays.toString(shape)));
        }
        slots.add(new Slot(name, hf, shape, architecture.permutedHeads(hf, heads, kvHeads)));
    }

    private void checkAllUsed(List<Slot> slots) {
        List<String> left = new ArrayList<>(file.tensors().keySet());
        left.removeAll(slots.stream().map(Slot::gguf).toList());
        left.remove(RopeScaling.FACTORS);
        if (!left.isEmpty()) {
            throw new InputException(
                    "%s: tensor '%s' has no place in a %s model, and would be lost. Start from the original checkpoint."
                            .formatted(file.path(), left.getFirst(), architecture.label()));
        }
    }

    /// `config.json`, in the layout that transformers 4 writes and 5 reads.
    ObjectNode config(DType dtype) {
        ObjectNode config = Json.object();
        config.putArray("architectures").add(architecture.className());
        if (architecture != Architecture.QWEN2) {
            config.put("attention_bias", attentionBias());
            config.put("head_dim", headDim);
        }
        config.put("attention_dropout", 0.0);
        putIds(config);
        config.put("hidden_act", "silu");
        config.put("hidden_size", hidden);
        config.put("initializer_range", 0.02);
        config.put("intermediate_size", intermediate);
        config.put("max_position_embeddings", size("context_length"));
        if (architecture == Architecture.LLAMA || architecture == Architecture.SMOLLM3) {
            config.put("mlp_bias", mlpBias());
        }
        if (architecture == Architecture.SMOLLM3) {
            config.put("no_rope_layer_interval", 4);
        }
        config.put("model_type", architecture.label());
        config.put("num_attention_heads", heads);
        config.put("num_hidden_layers", layers);
        config.put("num_key_value_heads", kvHeads);
        config.put(
                "rms_norm_eps",
                metadata.real(key("attention.layer_norm_rms_epsilon"))
                        .orElseThrow(() -> metadata.missing(key("attention.layer_norm_rms_epsilon"))));
        double theta = metadata.real(key("rope.freq_base")).orElse(10_000.0);
        config.set("rope_scaling", RopeScaling.of(file, architecture, theta, headDim));
        config.put("rope_theta", theta);
        config.put("tie_word_embeddings", tied());
        config.put("torch_dtype", dtype.torchName());
        config.put("use_cache", true);
        config.put("vocab_size", vocab);
        ObjectNode sorted = Json.object();
        config.propertyNames().stream().sorted().forEach(name -> sorted.set(name, config.get(name)));
        return sorted;
    }

    /// `generation_config.json`: a text's first token, and what ends it: its last, and where there is one
    /// the end of a turn.
    ObjectNode generationConfig() {
        ObjectNode config = Json.object();
        putIds(config);
        Set<Long> ends = new LinkedHashSet<>();
        metadata.whole("tokenizer.ggml.eos_token_id").ifPresent(ends::add);
        metadata.whole("tokenizer.ggml.eot_token_id").ifPresent(ends::add);
        if (ends.size() > 1) {
            ends.forEach(config.putArray("eos_token_id")::add);
        }
        return config;
    }

    private void putIds(ObjectNode config) {
        metadata.whole("tokenizer.ggml.bos_token_id").ifPresent(id -> config.put("bos_token_id", id));
        metadata.whole("tokenizer.ggml.eos_token_id").ifPresent(id -> config.put("eos_token_id", id));
        metadata.whole("tokenizer.ggml.padding_token_id").ifPresent(id -> config.put("pad_token_id", id));
    }

    private boolean tied() {
        return !file.tensors().containsKey("output.weight");
    }

    private boolean qkvBias() {
        return architecture.qkvBias() || attentionBias();
    }

    private boolean attentionBias() {
        return file.tensors().containsKey("blk.0.attn_output.bias");
    }

    private boolean mlpBias() {
        return file.tensors().containsKey("blk.0.ffn_gate.bias");
    }

    private String key(String name) {
        return architecture.label() + "." + name;
    }

    private long size(String name) {
        return metadata.whole(key(name))
                .filter(n -> n > 0 && n <= Integer.MAX_VALUE)
                .orElseThrow(() -> metadata.missing(key(name)));
    }

    private void require(String name, long value) {
        metadata.whole(key(name)).filter(n -> n != value).ifPresent(n -> {
            throw new InputException(
                    "%s: '%s' is %d, which cannot be imported as %s. Start from the original checkpoint."
                            .formatted(file.path(), key(name), n, architecture.label()));
        });
    }
}
