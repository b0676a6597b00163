package dev.halftone.nn;

import dev.halftone.torch.Ops;
import org.bytedeco.pytorch.Tensor;

/// A table with a row for each token id.
///
/// It reads the trained values themselves, not their shadow, unless it is told that the shadow is its own: where a
/// model ties its head to this table, the head may be fake-quantized or run in another precision, and the rows stay as
/// they are (as in torchao and under torch's autocast).
public final class Embedding extends Module implements WeightedLayer {
    private Weight weight;
    private boolean transformed;

    /// @param weight_VD `[vocabulary, width]`
    public Embedding(Weight weight_VD) {
        setWeight(weight_VD);
    }

    /// @param ids int64, any shape `[…]`
    /// @return `[…, D]` in the dtype of the trained values
    public Tensor forward(Tensor ids) {
        return switch (weight) {
            case Parameter p when !readsShadow(p) -> Ops.embedding(p.master(), ids);
            case PackedWeight p -> Ops.to(p.rows(ids), p.dtype());
            default -> Ops.to(Ops.embedding(weight.value(), ids), weight.dtype());
        };
    }

    private boolean readsShadow(Parameter p) {
        WeightTransform t = p.transform();
        return transformed && t != null && t.active();
    }

    /// Whether the transform of the table is meant for its rows too, not only for a head that is tied to it.
    public void setTransformed(boolean transformed) {
        this.transformed = transformed;
    }

    public boolean transformed() {
        return transformed;
    }

    @Override
    public Weight weight() {
        return weight;
    }

    @Override
    public void setWeight(Weight weight) {
        this.weight = weight;
        if (weight instanceof Parameter p) {
            parameter("weight", p);
        } else {
            removeParameter("weight");
        }
    }

    @Override
    protected void closeWeights() {
        super.closeWeights();
        weight.close();
    }
}
