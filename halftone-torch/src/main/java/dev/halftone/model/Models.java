package dev.halftone.model;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.nn.ParameterSource;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import tools.jackson.databind.JsonNode;

/// Makes models.
public final class Models {
    private static final String CONFIG = "config.json";

    private Models() {}

    /// Loads the model in a Hugging Face folder.
    ///
    /// @param dtype what the weights are converted to, and computed in
    /// @throws InputException if the folder is not one, its configuration is wrong or of an unsupported family,
    ///     or its weights are not those of the configuration
    public static CausalLm load(Path dir, DType dtype, Device device) {
        try (HfFolder folder = HfFolder.open(dir)) {
            return load(folder, dtype, device);
        }
    }

    /// Loads the model in a Hugging Face folder, which may be closed afterwards.
    ///
    /// @param dtype what the weights are converted to, and computed in
    /// @throws InputException if the configuration is wrong or of an unsupported family, or the weights are not
    ///     those of the configuration
    public static CausalLm load(HfFolder folder, DType dtype, Device device) {
        return load(folder, dtype, device, source -> source);
    }

    /// The same with weights that something is made of on their way from the folder into the model.
    ///
    /// @param between from the folder's source to the model's
    public static CausalLm load(HfFolder folder, DType dtype, Device device, UnaryOperator<ParameterSource> between) {
        HfSource source = new HfSource(folder, dtype, device);
        CausalLm model =
                build(new ConfigJson(folder.dir().resolve(CONFIG).toString(), folder.config()), between.apply(source));
        // Old checkpoints store the rotary frequencies, which follow from the configuration.
        List<String> spare = new ArrayList<>(List.of("rotary_emb.inv_freq"));
        if (model.config().tied()) {
            spare.add("lm_head.weight");
        }
        source.requireAllTaken(spare);
        return model;
    }

    /// The model that a `config.json` describes, with weights from `source`.
    ///
    /// @throws InputException if the configuration is wrong or of an unsupported family, or `source` has not
    ///     the weights that it asks for
    public static CausalLm build(JsonNode config, ParameterSource source) {
        return build(new ConfigJson(CONFIG, config), source);
    }

    /// The model that a `config.json` describes, untrained: matrices normal with its `initializer_range`, biases 0,
    /// norm weights 1.
    ///
    /// @param seed same seed, same numbers
    /// @throws InputException if the configuration is wrong or of an unsupported family
    public static CausalLm initialise(JsonNode config, long seed, DType dtype, Device device) {
        ConfigJson json = new ConfigJson(CONFIG, config);
        return build(json, new RandomSource(seed, json.number("initializer_range", 0.02), dtype, device));
    }

    /// Whether the family that a `config.json` names can be built.
    public static boolean supports(JsonNode config) {
        return Family.find(new ConfigJson(CONFIG, config)).isPresent();
    }

    private static CausalLm build(ConfigJson json, ParameterSource source) {
        return switch (Family.of(json)) {
            case LLAMA -> Llama.build(json, source);
            case MISTRAL -> Mistral.build(json, source);
            case QWEN2 -> Qwen.build2(json, source);
            case QWEN3 -> Qwen.build3(json, source);
            case SMOLLM3 -> SmolLm3.build(json, source);
            case OLMO2 -> Olmo2.build(json, source);
        };
    }
}
