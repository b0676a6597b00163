package dev.halftone.kernel;

import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// A quantized matrix `[N, K]` in as few bytes as its format takes.
public interface PackedMatrix {
    /// `[N, K]`.
    long[] shape();

    /// The values, in the dtype of their arithmetic. Not recorded by autograd.
    Tensor dequantize();

    /// The values of some rows, `[…, K]`, as [#dequantize].
    ///
    /// @param ids int64 `[…]`
    default Tensor rows(Tensor ids) {
        try (Scope scope = Scope.open()) {
            return scope.keep(Ops.embedding(dequantize(), ids));
        }
    }

    /// The matrix as a single row is multiplied by it; empty where no kernel does that.
    default Optional<RowMatrix> row() {
        return Optional.empty();
    }

    /// The tensors that it consists of, which whoever holds it owns and frees.
    List<Tensor> parts();

    /// The memory that it takes.
    default long bytes() {
        return parts().stream().mapToLong(t -> t.numel() * t.element_size()).sum();
    }
}
