package dev.halftone.recipe;

import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.GenerateConfig;
import dev.halftone.config.schema.MergeConfig;
import dev.halftone.config.schema.QuantizeConfig;

/// The recipes, as functions from a configuration to a result. All of them throw a [dev.halftone.InputException]
/// where the configuration or a file is wrong, and a [dev.halftone.RunException] where something fails on the way.
///
/// ```java
/// FinetuneConfig config = Config.load(Path.of("qat.yaml"), List.of("optimizer.lr=1e-5"))
///         .bind(FinetuneConfig.class)
///         .value();
/// Path artifact = Recipes.qat(config, Events.NONE).artifact();
/// ```
public final class Recipes {
    private Recipes() {}

    /// Trains all weights in plain float.
    public static FinetuneRecipe.Result full(FinetuneConfig config, Events events) {
        return FinetuneRecipe.full(config, events);
    }

    /// Trains all weights for the quantizer's grid, and quantizes the result as it was trained.
    public static FinetuneRecipe.Result qat(FinetuneConfig config, Events events) {
        return FinetuneRecipe.qat(config, events);
    }

    /// Trains adapters in plain float.
    public static FinetuneRecipe.Result lora(FinetuneConfig config, Events events) {
        return FinetuneRecipe.lora(config, events);
    }

    /// Trains adapters for the quantizer's grid, and quantizes the merged result.
    public static FinetuneRecipe.Result qatLora(FinetuneConfig config, Events events) {
        return FinetuneRecipe.qatLora(config, events);
    }

    /// Merges an adapter into its model, in float or quantized.
    public static MergeRecipe.Result merge(MergeConfig config, Events events) {
        return MergeRecipe.run(config, events);
    }

    /// Quantizes a float model into a certified artifact.
    public static QuantizeRecipe.Result quantize(QuantizeConfig config, Events events) {
        return QuantizeRecipe.run(config, events);
    }

    /// Writes an artifact in the format of another program, certified.
    public static ExportRecipe.Result export(ExportConfig config, Events events) {
        return ExportRecipe.run(config, events);
    }

    /// Measures a model or an artifact.
    public static EvalRecipe.Result eval(EvalConfig config, Events events) {
        return EvalRecipe.run(config, events);
    }

    /// Lets a model or an artifact write.
    public static GenerateRecipe.Result generate(GenerateConfig config, Events events) {
        return GenerateRecipe.run(config, events);
    }
}
