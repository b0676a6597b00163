package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.schema.KernelChoice;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizedLayer;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A float model becomes a certified artifact: post-training quantization, or, for a model that was trained for
/// this very scheme, what its training aimed at. Both are the same computation.
public final class QuantizeRecipe {
    private QuantizeRecipe() {}

    /// What was written.
    ///
    /// @param artifact its folder
    public record Result(Path artifact, Certificate certificate) {}

    /// @throws InputException if the model cannot be read, the quantizer does not fit it, or `output_dir` is taken
    /// @throws RunException if the artifact cannot be written, or its certificate does not hold
    public static Result run(QuantizeConfig config, Events events) {
        HfWriter.checkFree(config.outputDir(), false);
        Device device = Device.parse(config.device());
        events.line("Loading %s".formatted(config.checkpointDir()));
        try (CausalLm model = Checkpoints.loadFloat(config.checkpointDir(), config.dtype(), config.dtype(), device)) {
            Certificate certificate = quantize(
                    config.outputDir(),
                    model,
                    config.quantizer(),
                    config.kernels(),
                    config.checkpointDir(),
                    config.dtype(),
                    device,
                    events);
            return new Result(config.outputDir(), certificate);
        }
    }

    /// Quantizes a float model and writes it, certified.
    ///
    /// @param original the folder that the model was loaded from
    /// @param dtype what it was loaded as
    static Certificate quantize(
            Path dir,
            CausalLm model,
            QuantizerConfig quantizer,
            @Nullable KernelChoice kernels,
            Path original,
            DType dtype,
            Device device,
            Events events) {
        List<QuantizedLayer> layers = Qat.prepare(model, Plans.of(quantizer, kernels, model, original, events));
        events.line("Quantizing %d layers to %s".formatted(layers.size(), quantizer.label()));
        events.aside(LayerTable.of(model, layers));
        Calibrations.run(model, quantizer, original, events);
        Certificate certificate = CertifiedArtifact.write(dir, model, original, dtype, dtype, device, events);
        events.line("Certified: " + certificate.summary());
        return certificate;
    }
}
