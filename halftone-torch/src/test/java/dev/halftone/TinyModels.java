package dev.halftone;

import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.Config;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.format.Json;
import dev.halftone.model.CausalLm;
import dev.halftone.recipe.Events;
import dev.halftone.recipe.Recipes;
import dev.halftone.torch.Device;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import tools.jackson.databind.node.ObjectNode;

/// Untrained models of every family, large enough for blocks of 256, with a tokenizer and a chat template.
public final class TinyModels {
    public static final String TEMPLATE = "{% for m in messages %}{{ m['content'] }}{% endfor %}";

    private TinyModels() {}

    /// A float32 model folder.
    ///
    /// @param keys of `config.json` beside, or instead of, those that all have, as JSON
    public static Path write(Path dir, String modelType, String keys) throws IOException {
        return write(
                dir,
                modelType,
                keys,
                Golden.path("tokenizer/bytelevel_digits/tokenizer.json"),
                Json.object()
                        .put("bos_token", "<|im_start|>")
                        .put("eos_token", "<|im_end|>")
                        .put("pad_token", "<|endoftext|>"));
    }

    /// A float32 model folder with SentencePiece's BPE.
    ///
    /// @param tokenizer its tokenizer.json
    public static Path writeSentencePiece(Path dir, String modelType, Path tokenizer) throws IOException {
        return write(
                dir,
                modelType,
                "{}",
                tokenizer,
                Json.object().put("bos_token", "<s>").put("eos_token", "</s>").put("unk_token", "<unk>"));
    }

    private static Path write(Path dir, String modelType, String keys, Path tokenizer, ObjectNode special)
            throws IOException {
        Path origin = Files.createDirectories(dir.resolveSibling(dir.getFileName() + "-origin"));
        ObjectNode config = Json.parseObject("""
                {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 4, "num_attention_heads": 4,
                 "num_key_value_heads": 2, "vocab_size": 640, "max_position_embeddings": 256, "initializer_range": 0.08,
                 "rms_norm_eps": 1e-5, "tie_word_embeddings": false, "bos_token_id": 1, "eos_token_id": 2,
                 "torch_dtype": "float32"}""");
        config.put("model_type", modelType).setAll(Json.parseObject(keys));
        Json.write(origin.resolve("config.json"), config);
        Files.copy(tokenizer, origin.resolve("tokenizer.json"));
        Json.write(origin.resolve("tokenizer_config.json"), special.put("chat_template", TEMPLATE));
        try (CausalLm model = Checkpoints.initialise(origin, 1, DType.F32, DType.F32, Device.CPU);
                NoGrad _ = NoGrad.open()) {
            Random random = new Random(1);
            // Norms and biases that differ, or none could be told from another.
            model.namedParameters().forEach((name, p) -> {
                long[] shape = p.shape();
                if (shape.length == 1) {
                    float[] values = new float[Math.toIntExact(shape[0])];
                    for (int i = 0; i < values.length; i++) {
                        values[i] = (name.endsWith("bias") ? 0 : 1) + 0.3f * (float) random.nextGaussian();
                    }
                    p.master().copy_(Torch.of(values, shape));
                }
            });
            Checkpoints.saveFloat(dir, model, origin, Long.MAX_VALUE, false);
        }
        return dir;
    }

    /// The artifact of a model.
    ///
    /// @param quantizer as YAML
    public static Path quantize(Path model, Path artifact, String quantizer, String dtype) {
        String yaml = "{output_dir: '%s', checkpoint_dir: '%s', dtype: %s, quantizer: %s}"
                .formatted(artifact, model, dtype, quantizer);
        return Recipes.quantize(
                        Config.parse("test", yaml, List.of())
                                .bind(QuantizeConfig.class)
                                .value(),
                        Events.NONE)
                .artifact();
    }
}
