package dev.halftone.recipe;

import dev.halftone.format.ExportFormat;
import dev.halftone.format.Json;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Parameter;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/// The proof that an export, read again from disk, is the artifact: the same codes and scales, or in a
/// float format the same values; the same floats beside them; and the same outputs on real text.
///
/// @param format what was written
/// @param scheme of the artifact; several are joined by +
/// @param layers quantized layers
/// @param weights in them
/// @param equalWeights how many have the same code and the same scale, or the same value where the format
///     has no codes
/// @param floats weights that the artifact has in float
/// @param equalFloats how many of them have the same value
/// @param tokens positions whose logits were compared
/// @param outputs of the artifact and of the export
public record ExportCertificate(
        ExportFormat format,
        String scheme,
        int layers,
        long weights,
        long equalWeights,
        long floats,
        long equalFloats,
        int tokens,
        Agreement outputs) {
    /// Whether the export may be shipped.
    public boolean holds() {
        return weights > 0
                && equalWeights == weights
                && equalFloats == floats
                && outputs.sqnrDb() >= Certificate.MIN_SQNR_DB
                && outputs.top1() >= Certificate.MIN_TOP1_AGREEMENT;
    }

    /// One line for a person.
    public String summary() {
        return String.format(
                Locale.ROOT,
                "%s of %s: %,d of %,d quantized weights equal in %d layers, and %,d of %,d in float; over %d tokens %s",
                format.label(),
                scheme,
                equalWeights,
                weights,
                layers,
                equalFloats,
                floats,
                tokens,
                outputs.summary());
    }

    /// These figures, the tolerances, and whether they hold. An infinite SQNR is null.
    public ObjectNode json() {
        ObjectNode json = Json.object()
                .put("holds", holds())
                .put("format", format.label())
                .put("scheme", scheme)
                .put("layers", layers)
                .put("weights", weights)
                .put("equal_weights", equalWeights)
                .put("floats", floats)
                .put("equal_floats", equalFloats)
                .put("tokens", tokens);
        json.setAll(outputs.json());
        json.putObject("tolerance")
                .put("equal_weights", "all")
                .put("equal_floats", "all")
                .put("min_sqnr_db", Certificate.MIN_SQNR_DB)
                .put("min_top1_agreement", Certificate.MIN_TOP1_AGREEMENT);
        return json;
    }

    /// Compares what was read with the artifact.
    static ExportCertificate of(ExportFormat format, CausalLm expected, CausalLm actual, Tokens tokens) {
        EqualLayers compared = EqualLayers.of(expected, actual, (w, other) -> switch (other) {
            case QuantizedWeight codes -> Certificate.equalCodes(w, codes);
            case Parameter p when !format.holdsCodes() -> equal(w.value(), p.master());
            default -> 0;
        });
        long floats = 0;
        long equalFloats = 0;
        Map<String, Parameter> actualParameters = actual.namedParameters();
        for (var parameter : expected.namedParameters().entrySet()) {
            floats += parameter.getValue().master().numel();
            Parameter other = actualParameters.get(parameter.getKey());
            equalFloats += other == null ? 0 : equal(parameter.getValue().master(), other.master());
        }
        return new ExportCertificate(
                format,
                compared.scheme(),
                compared.layers(),
                compared.weights(),
                compared.equal(),
                floats,
                equalFloats,
                tokens.ids().length,
                Agreement.of(Certificate.logits(expected, tokens), Certificate.logits(actual, tokens), tokens.ids()));
    }

    private static long equal(Tensor a, Tensor b) {
        if (!Arrays.equals(Torch.shape(a), Torch.shape(b))) {
            return 0;
        }
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Certificate.same(a, b).sum().item_long();
        }
    }
}
