package dev.halftone.kernel;

import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import java.util.List;
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

    /// The tensors that it consists of, which whoever holds it owns and frees.
    List<Tensor> parts();

    /// The memory that it takes.
    default long bytes() {
        return parts().stream().mapToLong(t -> t.numel() * t.element_size()).sum();
    }
}
