package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.kernel.Quantized;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Locale;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.node.ObjectNode;

/// The proof that an artifact, loaded afresh from disk, is the model that was trained: the same codes and scales,
/// and the same outputs on real text.
///
/// Both sides compute on the same machine with the same kernels, so the outputs of a good artifact are equal to
/// the last bit; the tolerance only allows for libraries that choose another order of summation from run to run.
///
/// @param scheme what they are quantized to; several are joined by +
/// @param layers quantized layers
/// @param codes their weights together
/// @param equalCodes how many of them have the same code and the same scale on both sides
/// @param tokens positions whose logits were compared
/// @param outputs of the model that was trained and of the artifact
public record Certificate(String scheme, int layers, long codes, long equalCodes, int tokens, Agreement outputs) {
    static final double MIN_SQNR_DB = 60;
    static final double MIN_TOP1_AGREEMENT = 0.999;

    /// Whether the artifact may be shipped.
    public boolean holds() {
        return codes > 0
                && equalCodes == codes
                && outputs.sqnrDb() >= MIN_SQNR_DB
                && outputs.top1() >= MIN_TOP1_AGREEMENT;
    }

    /// One line for a person.
    public String summary() {
        return String.format(
                Locale.ROOT,
                "%s: %,d of %,d codes equal in %d layers; over %d tokens %s",
                scheme,
                equalCodes,
                codes,
                layers,
                tokens,
                outputs.summary());
    }

    /// `certificate.json`: these figures, the tolerances, and whether they hold. An infinite SQNR is null.
    public ObjectNode json() {
        ObjectNode json = Json.object()
                .put("holds", holds())
                .put("scheme", scheme)
                .put("layers", layers)
                .put("codes", codes)
                .put("equal_codes", equalCodes)
                .put("tokens", tokens);
        json.setAll(outputs.json());
        json.putObject("tolerance")
                .put("equal_codes", "all")
                .put("min_sqnr_db", MIN_SQNR_DB)
                .put("min_top1_agreement", MIN_TOP1_AGREEMENT);
        return json;
    }

    /// Compares what was loaded with the model that was saved.
    ///
    /// @param expectedLogits `[S, V]` of the model as it was trained, fake-quantized, row-major
    /// @param converted that model after `convert`
    /// @param loaded the artifact, loaded afresh
    static Certificate of(float[] expectedLogits, CausalLm converted, CausalLm loaded, Tokens tokens) {
        EqualLayers compared = EqualLayers.of(
                converted,
                loaded,
                (expected, actual) -> actual instanceof QuantizedWeight codes ? equalCodes(expected, codes) : 0);
        return new Certificate(
                compared.scheme(),
                compared.layers(),
                compared.weights(),
                compared.equal(),
                tokens.ids().length,
                Agreement.of(expectedLogits, logits(loaded, tokens), tokens.ids()));
    }

    /// How many codes of two weights are equal, with the scales of their blocks.
    static long equalCodes(QuantizedWeight a, QuantizedWeight b) {
        if (!a.scheme().equals(b.scheme()) || !Arrays.equals(a.shape(), b.shape())) {
            return 0;
        }
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Quantized expected = a.quantized();
            Quantized actual = b.quantized();
            Tensor scales = same(expected.scale(), actual.scale());
            if (expected.zeroPoint() != null && actual.zeroPoint() != null) {
                scales = scales.logical_and(same(expected.zeroPoint(), actual.zeroPoint()));
            }
            if (expected.tensorScale() != null && actual.tensorScale() != null) {
                scales = scales.logical_and(same(expected.tensorScale(), actual.tensorScale()));
            }
            // Each scale stands for a block of a row.
            long[] blocks = {scales.size(0), scales.size(1), -1};
            return expected.codes()
                    .eq(actual.codes())
                    .view(blocks)
                    .logical_and(scales.unsqueeze(2))
                    .sum()
                    .item_long();
        }
    }

    /// Where two tensors have the same numbers; NaN counts as one.
    static Tensor same(Tensor a, Tensor b) {
        Tensor x = Ops.to(a, DType.F32);
        Tensor y = Ops.to(b, DType.F32);
        return x.eq(y).logical_or(x.isnan().logical_and(y.isnan()));
    }

    /// Logits of every position of one sequence, `[S, V]` in row-major order.
    static float[] logits(CausalLm model, Tokens tokens) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Torch.floats(model.logits(model.hidden(tokens)));
        }
    }
}
