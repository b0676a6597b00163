package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.checkpoint.QuantizedFolders.Contents;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizationPlan.Rule;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Compares an artifact with the float checkpoint that it is said to come from: the checkpoint is fake-quantized to
/// the artifact's own schemes, as training does it, and both compute the same text. Static activations have the
/// artifact's scales, which no checkpoint tells.
public final class CertifyRecipe {
    private CertifyRecipe() {}

    /// @throws InputException if `artifact` is none of Halftone's, `checkpoint` is no float model, or they are models
    /// of
    ///     different shapes
    public static Certificate run(Path artifact, Path checkpoint, Device device, Events events) {
        Contents contents = QuantizedFolders.contents(artifact);
        DType dtype = contents.weightDtype();
        noteRounding(checkpoint, contents, events);
        events.line("Loading %s and %s".formatted(artifact, checkpoint));
        try (CausalLm loaded = Checkpoints.load(artifact, dtype, device);
                CausalLm model = Checkpoints.loadFloat(checkpoint, dtype, dtype, device)) {
            Qat.prepare(model, plan(contents.schemes()));
            // Trained scales are no function of the weights.
            Qat.takeScales(model, loaded);
            InputCalibration.restore(model, InputCalibration.scales(loaded));
            Tokens tokens = CertificateText.tokens(
                    artifact, model.config().vocabSize(), model.config().maxPositions());
            float[] trained = Certificate.logits(model, tokens);
            Qat.convert(model);
            return Certificate.of(trained, model, loaded, tokens);
        }
    }

    /// A folder in bfloat16 cannot become what float32 masters became, and no figure would say why.
    private static void noteRounding(Path checkpoint, Contents contents, Events events) {
        try (HfFolder folder = HfFolder.open(checkpoint)) {
            contents.schemes().keySet().stream()
                    .map(layer -> layer + ".weight")
                    .filter(folder::has)
                    .map(name -> folder.info(name).dtype())
                    .filter(dtype -> dtype.bytes() < contents.weightDtype().bytes())
                    .findFirst()
                    .ifPresent(dtype -> events.line(
                            "%s holds %s weights, and the artifact was made from %s ones, which those may be rounded from: codes can differ."
                                    .formatted(
                                            checkpoint,
                                            dtype.torchName(),
                                            contents.weightDtype().torchName())));
        }
    }

    private static QuantizationPlan plan(Map<String, QuantScheme> schemes) {
        Map<QuantScheme, List<String>> layers = new LinkedHashMap<>();
        schemes.forEach((layer, scheme) ->
                layers.computeIfAbsent(scheme, _ -> new ArrayList<>()).add(layer));
        return new QuantizationPlan(
                layers.entrySet().stream()
                        .map(e -> new Rule(e.getKey(), e.getValue(), List.of(), GradientRule.IDENTITY))
                        .toList(),
                null);
    }
}
