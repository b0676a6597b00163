package dev.halftone.nn;

import dev.halftone.torch.Ops;
import org.bytedeco.pytorch.Tensor;

/// A table with a row for each token id.
///
/// It reads the trained values themselves, never a shadow: where a model ties its head to this table, the head may be
/// fake-quantized or run in another precision, and the rows stay as they are (as in torchao and under torch's
/// autocast).
public final class Embedding extends Module {
    private final Parameter weight;

    /// @param weight_VD `[vocabulary, width]`
    public Embedding(Parameter weight_VD) {
        weight = parameter("weight", weight_VD);
    }

    /// @param ids int64, any shape `[…]`
    /// @return `[…, D]` in the dtype of the table
    public Tensor forward(Tensor ids) {
        return Ops.embedding(weight.master(), ids);
    }

    public Parameter weight() {
        return weight;
    }
}
