package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.nn.Weight;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A weight as codes and scales: what `convert` leaves, and what a quantized checkpoint holds.
///
/// Products run on the values that the codes stand for, which are computed once and kept.
public final class QuantizedWeight implements Weight {
    private final QuantScheme scheme;
    private final DType dtype;
    private final DType computeDtype;
    private final Quantized quantized;
    private @Nullable Tensor value;

    /// Owns its tensors from here on.
    ///
    /// @param dtype type of the weight that was quantized: the type of the arithmetic between codes and values
    /// @param computeDtype type of the products, and so of [#value()]
    /// @param quantized `[N, K]` codes and what the scheme's grid has beside them
    /// @throws IllegalArgumentException if shapes or dtypes don't belong together
    public QuantizedWeight(QuantScheme scheme, DType dtype, DType computeDtype, Quantized quantized) {
        this.scheme = scheme;
        this.dtype = dtype;
        this.computeDtype = computeDtype;
        this.quantized = quantized;
        requireFit(quantized, grid());
        parts().forEach(Scope::own);
    }

    private void requireFit(Quantized q, Grid grid) {
        Tensor codes_NK = q.codes();
        long[] scales = grid.granularity().scaleShape(Torch.shape(codes_NK));
        if (Torch.dtype(codes_NK) != grid.codeDtype()
                || Torch.dtype(q.scale()) != grid.scaleDtype()
                || !Arrays.equals(Torch.shape(q.scale()), scales)
                || (q.zeroPoint() == null) != (grid.zeroPointDtype() == null)
                || (q.tensorScale() == null) == grid.wholeTensor()) {
            throw new IllegalArgumentException("codes %s%s and scales %s%s are no %s weight of %s"
                    .formatted(
                            Torch.dtype(codes_NK),
                            Arrays.toString(Torch.shape(codes_NK)),
                            Torch.dtype(q.scale()),
                            Arrays.toString(Torch.shape(q.scale())),
                            scheme.label(),
                            dtype));
        }
    }

    public QuantScheme scheme() {
        return scheme;
    }

    @Override
    public DType dtype() {
        return dtype;
    }

    @Override
    public Tensor adapted() {
        return Ops.to(value(), dtype);
    }

    @Override
    public DType computeDtype() {
        return computeDtype;
    }

    /// `[N, K]` codes, and their scales.
    public Quantized quantized() {
        return quantized;
    }

    /// The grid that the codes belong to.
    public Grid grid() {
        return scheme.weights(dtype);
    }

    @Override
    public Tensor value() {
        Tensor v = value;
        if (v == null) {
            try (Scope _ = Scope.open();
                    NoGrad _ = NoGrad.open()) {
                Tensor dequantized = Kernels.of(null, grid(), quantized.codes()).dequantize(quantized);
                v = Scope.own(Ops.to(dequantized, computeDtype));
                value = v;
            }
        }
        return v;
    }

    @Override
    public long[] shape() {
        return Torch.shape(quantized.codes());
    }

    private List<Tensor> parts() {
        return Stream.of(quantized.codes(), quantized.scale(), quantized.zeroPoint(), quantized.tensorScale())
                .filter(Objects::nonNull)
                .map(Objects::requireNonNull)
                .toList();
    }

    @Override
    public void close() {
        parts().forEach(Tensor::close);
        if (value != null) {
            value.close();
        }
    }
}
