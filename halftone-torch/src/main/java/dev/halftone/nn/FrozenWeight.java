package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.PackedMatrix;
import dev.halftone.kernel.RowMatrix;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The base of QLoRA: a matrix that stays as it was quantized, under an adapter that is trained.
public final class FrozenWeight implements PackedWeight {
    private final PackedMatrix matrix;
    private final DType dtype;
    private final DType computeDtype;
    private @Nullable WeightTransform adapter;

    /// @param matrix whose tensors this weight owns from here on
    /// @param dtype what the values count as: the type of what is trained beside them, and of the rows of a table
    /// @param computeDtype type of the products, and so of [#value()]
    public FrozenWeight(PackedMatrix matrix, DType dtype, DType computeDtype) {
        this.matrix = matrix;
        this.dtype = dtype;
        this.computeDtype = computeDtype;
        matrix.parts().forEach(Scope::own);
    }

    public PackedMatrix matrix() {
        return matrix;
    }

    @Override
    public Tensor rows(Tensor ids) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return scope.keep(Ops.to(matrix.rows(ids), computeDtype));
        }
    }

    @Override
    public Optional<RowMatrix> row() {
        WeightTransform a = adapter;
        return a != null && a.active() ? Optional.empty() : matrix.row();
    }

    @Override
    public Tensor value() {
        WeightTransform a = adapter;
        return as(computeDtype, a != null && a.active());
    }

    @Override
    public Tensor adapted() {
        return as(dtype, adapter != null);
    }

    private Tensor as(DType type, boolean adapted) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor w = matrix.dequantize();
            WeightTransform a = adapter;
            return scope.keep(Ops.to(adapted && a != null ? a.forward(Ops.to(w, dtype), false) : w, type));
        }
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public DType computeDtype() {
        return computeDtype;
    }

    @Override
    public @Nullable WeightTransform adapter() {
        return adapter;
    }

    /// Sets what is trained beside the values. Where it is active, products use the sum, without a gradient.
    public void setAdapter(@Nullable WeightTransform adapter) {
        this.adapter = adapter;
    }

    @Override
    public long[] shape() {
        return matrix.shape();
    }

    @Override
    public void close() {
        matrix.parts().forEach(Tensor::close);
        if (adapter != null) {
            adapter.parameters().values().forEach(Parameter::close);
        }
    }
}
