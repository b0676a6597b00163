package dev.halftone.config.schema;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.config.Key;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The low-rank adapters that `lora` and `qat_lora` train. torchtune has most of these keys under `model`.
public record LoraConfig(
        @Key(value = "rank of the adapters of `lora` and `qat_lora`", otherwise = "null", also = "model.lora_rank")
        @Nullable
        Integer loraRank,

        @Key(
                value = "an adapter's delta is scaled by this over the rank; null is twice the rank",
                otherwise = "null",
                also = "model.lora_alpha")
        @Nullable
        Double loraAlpha,

        @Key(
                value = "share of an adapter's inputs that is left out in training; with lora_form separate",
                otherwise = "0",
                also = "model.lora_dropout")
        double loraDropout,

        @Key(
                value =
                        "globs over the names of linear layers: what gets an adapter; null takes lora_attn_modules and what follows it, or every linear layer but the head",
                otherwise = "null")
        @Nullable
        List<String> loraModules,

        @Key(
                value = "torchtune's choice among q_proj, k_proj, v_proj and output_proj",
                otherwise = "null",
                also = "model.lora_attn_modules")
        @Nullable
        List<String> loraAttnModules,

        @Key(
                value = "with lora_attn_modules: whether gate_proj, up_proj and down_proj get adapters too",
                otherwise = "false",
                also = "model.apply_lora_to_mlp")
        boolean applyLoraToMlp,

        @Key(
                value = "with lora_attn_modules: whether the head gets one too",
                otherwise = "false",
                also = "model.apply_lora_to_output")
        boolean applyLoraToOutput,

        @Key(
                value = "whether the rows of adapted weights have trained magnitudes (DoRA)",
                otherwise = "false",
                also = "model.use_dora")
        boolean useDora,

        @Key(value = "whether deltas are scaled by alpha over the root of the rank (rsLoRA)", otherwise = "false")
        boolean useRslora,

        @Key(
                value =
                        "`merged` trains what quantizing weight and delta together gives; `separate` keeps the delta beside the quantized weight, as torchtune. null is `merged` under `qat_lora` and with DoRA, else `separate`",
                otherwise = "null")
        @Nullable
        LoraForm loraForm,

        @Key(
                value = "a folder of PEFT's with the adapters that training begins with; null begins with new ones",
                otherwise = "null")
        @Nullable
        Path adapterDir,

        @Key(value = "whether the weights themselves are trained too", otherwise = "false")
        boolean trainBase,

        @Key(
                value =
                        "whether `lora` keeps the frozen weights of all linear layers but the head in NF4, four bits a weight (QLoRA). An artifact or a .gguf file as checkpoint_dir stays packed without being asked",
                otherwise = "false",
                also = "model.quantize_base")
        boolean quantizeBase,

        @Key(value = "what `lora` keeps them in, in place of NF4: a quantizer of weights", otherwise = "null") @Nullable
        QuantizerConfig baseQuantizer) {
    /// Where the delta meets the weight.
    public enum LoraForm {
        /// Before quantization.
        MERGED,
        /// Beside the quantized weight.
        SEPARATE
    }

    public LoraConfig {
        Check.atLeast("lora_rank", loraRank, 1);
        Check.above("lora_alpha", loraAlpha, 0);
        if (loraModules != null && loraAttnModules != null) {
            throw new InputException(
                    "lora_modules: lora_attn_modules says the same in torchtune's words. Remove one of them.");
        }
        if (loraAttnModules == null && (applyLoraToMlp || applyLoraToOutput)) {
            throw new InputException(
                    "apply_lora_to_mlp: without lora_attn_modules every linear layer but the head has an adapter. Set lora_attn_modules or lora_modules, or remove the apply_lora_… keys.");
        }
        globs(loraModules, loraAttnModules, applyLoraToMlp, applyLoraToOutput);
        if (quantizeBase && baseQuantizer != null) {
            throw new InputException(
                    "quantize_base: it stands for NF4, and there is a base_quantizer. Remove one of them.");
        }
        if (baseQuantizer != null) {
            baseQuantizer.parts().forEach(LoraConfig::requireWeightsOnly);
        }
        if ((quantizeBase || baseQuantizer != null) && (trainBase || useDora || loraForm == LoraForm.MERGED)) {
            throw new InputException(
                    "%s: packed weights cannot be trained or changed. Remove it, or train_base, use_dora and lora_form=merged."
                            .formatted(quantizeBase ? "quantize_base" : "base_quantizer"));
        }
    }

    private static void requireWeightsOnly(QuantizerConfig.OneScheme q) {
        if (q.scheme().activations(DType.F32) != null
                || q.scheme().numerics().learnsScales()
                || q.searchedBits().isPresent()) {
            throw new InputException(
                    "base_quantizer: %s has more than weights that are rounded as they are. Use IntxWeightOnlyConfig, Int4WeightOnlyConfig or GGUFWeightOnlyConfig."
                            .formatted(q.scheme().label()));
        }
    }

    /// Whether a float checkpoint's weights are packed.
    public boolean packsBase() {
        return quantizeBase || baseQuantizer != null;
    }

    /// Globs over the names of linear layers that get adapters.
    public List<String> globs() {
        return globs(loraModules, loraAttnModules, applyLoraToMlp, applyLoraToOutput);
    }

    private static List<String> globs(
            @Nullable List<String> modules, @Nullable List<String> attention, boolean mlp, boolean output) {
        if (modules != null) {
            return modules;
        }
        if (attention == null) {
            return List.of("*_proj");
        }
        List<String> globs = new ArrayList<>();
        for (String name : attention) {
            switch (name) {
                case "q_proj", "k_proj", "v_proj", "o_proj" -> globs.add("*." + name);
                case "output_proj" -> globs.add("*.o_proj");
                default ->
                    throw new InputException(
                            "lora_attn_modules: '%s' is none of q_proj, k_proj, v_proj, output_proj. Use those, or lora_modules."
                                    .formatted(name));
            }
        }
        if (mlp) {
            globs.addAll(List.of("*.gate_proj", "*.up_proj", "*.down_proj"));
        }
        if (output) {
            globs.add("lm_head");
        }
        return globs;
    }
}
