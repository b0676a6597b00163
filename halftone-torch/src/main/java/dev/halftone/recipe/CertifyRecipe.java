package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.checkpoint.QuantizedFolders.Contents;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
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
/// the artifact's own schemes, as training does it, and both compute the same text.
public final class CertifyRecipe {
    private CertifyRecipe() {}

    /// @throws InputException if `artifact` is none of Halftone's, `checkpoint` is no float model, or they are models
    /// of
    ///     different shapes
    public static Certificate run(Path artifact, Path checkpoint, Device device, Events events) {
        Contents contents = QuantizedFolders.contents(artifact);
        DType dtype = contents.weightDtype();
        events.line("Loading %s and %s".formatted(artifact, checkpoint));
        try (CausalLm loaded = Checkpoints.load(artifact, dtype, device);
                CausalLm model = Checkpoints.loadFloat(checkpoint, dtype, dtype, device)) {
            Qat.prepare(model, plan(contents.schemes()));
            Tokens tokens = CertificateText.tokens(
                    artifact, model.config().vocabSize(), model.config().maxPositions());
            float[] trained = Certificate.logits(model, tokens);
            Qat.convert(model);
            return Certificate.of(trained, model, loaded, tokens);
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
