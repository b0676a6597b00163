package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.PeftFolders;
import dev.halftone.config.schema.MergeConfig;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.peft.Adapters;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A model and an adapter become one: a float folder, or, with a quantizer, a certified artifact. The codes
/// of an adapter that was trained merged, for this very scheme and in this dtype, are those that its training
/// ended with.
public final class MergeRecipe {
    private MergeRecipe() {}

    /// What was written.
    ///
    /// @param model its folder
    /// @param certificate of an artifact; null for a float model
    public record Result(Path model, @Nullable Certificate certificate) {}

    /// @throws InputException if the adapter does not belong to the model, the quantizer does not fit, or
    ///     `output_dir` is taken
    /// @throws RunException if it cannot be written, or its certificate does not hold
    public static Result run(MergeConfig config, Events events) {
        HfWriter.checkFree(config.outputDir(), false);
        Device device = Device.parse(config.device());
        DType dtype = Objects.requireNonNullElseGet(config.dtype(), () -> PeftFolders.dtype(config.adapterDir()));
        Path base = config.checkpointDir();
        events.line("Loading %s".formatted(base));
        try (CausalLm model = Checkpoints.loadFloat(base, dtype, dtype, device)) {
            merge(config.adapterDir(), model, events);
            if (config.quantizer() != null) {
                Certificate certificate = QuantizeRecipe.quantize(
                        config.outputDir(), model, config.quantizer(), config.kernels(), base, dtype, device, events);
                return new Result(config.outputDir(), certificate);
            }
            Checkpoints.saveFloat(config.outputDir(), model, base, HfWriter.DEFAULT_SHARD_BYTES, false);
            return new Result(config.outputDir(), null);
        }
    }

    /// Makes an adapter part of a model in memory.
    ///
    /// @throws InputException if the adapter cannot be read or does not belong to the model
    static void merge(Path adapterDir, CausalLm model, Events events) {
        List<String> layers = PeftFolders.attach(adapterDir, model);
        Adapters.merge(model);
        events.line("Merged the adapters of %d layers".formatted(layers.size()));
    }
}
