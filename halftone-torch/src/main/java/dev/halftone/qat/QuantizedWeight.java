package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.kernel.RowMatrix;
import dev.halftone.nn.PackedWeight;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// A weight as codes and scales: what `convert` leaves, and what a quantized checkpoint holds.
///
/// Products run on the values that the codes stand for, which are computed for each product anew and not kept; a single
/// row is multiplied by the codes themselves.
public final class QuantizedWeight implements PackedWeight {
    private final QuantScheme scheme;
    private final DType dtype;
    private final DType computeDtype;
    private final Quantized quantized;

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
        quantized.parts().forEach(Scope::own);
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

    /// {@inheritDoc}
    ///
    /// Where the arithmetic of the grid is in bfloat16, the values are not rounded to it here.
    @Override
    public Optional<RowMatrix> row() {
        return RowMatrix.of(quantized, grid());
    }

    @Override
    public Tensor rows(Tensor ids) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor scale = quantized.scale();
            if (scale.dim() == 0 || scale.size(0) != quantized.codes().size(0)) {
                return scope.keep(Ops.embedding(value(), ids));
            }
            Tensor flat = ids.reshape(-1);
            Tensor zeroPoint = quantized.zeroPoint();
            Quantized few = new Quantized(
                    select(quantized.codes(), flat),
                    select(scale, flat),
                    zeroPoint == null ? null : select(zeroPoint, flat),
                    quantized.tensorScale());
            long[] shape = Arrays.copyOf(Torch.shape(ids), Math.toIntExact(ids.dim() + 1));
            shape[shape.length - 1] = shape()[1];
            return scope.keep(value(few).view(shape));
        }
    }

    /// As bytes, where an element is one: libtorch cannot pick rows of every 8-bit type.
    private static Tensor select(Tensor t, Tensor rows) {
        return t.element_size() == 1
                ? Ops.view(Ops.view(t, DType.U8).index_select(0, rows), Torch.dtype(t))
                : t.index_select(0, rows);
    }

    @Override
    public Tensor value() {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return scope.keep(value(quantized));
        }
    }

    private Tensor value(Quantized q) {
        return Ops.to(Kernels.of(null, grid(), q.codes()).dequantize(q), computeDtype);
    }

    @Override
    public long[] shape() {
        return Torch.shape(quantized.codes());
    }

    @Override
    public void close() {
        quantized.parts().forEach(Tensor::close);
    }
}
