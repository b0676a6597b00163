package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.kernel.GridMatrix;
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
/// Codes of 4 bits or fewer share bytes ([GridMatrix]). Products run on the values that the codes stand for, which are
/// computed for each product anew and not kept; a single row is multiplied by the codes themselves.
public final class QuantizedWeight implements PackedWeight {
    private final QuantScheme scheme;
    private final DType dtype;
    private final DType computeDtype;
    private final GridMatrix matrix;

    /// Packs the codes, and owns what it keeps of the tensors from here on.
    ///
    /// @param dtype type of the weight that was quantized: the type of the arithmetic between codes and values
    /// @param computeDtype type of the products, and so of [#value()]
    /// @param quantized `[N, K]` codes and what the scheme's grid has beside them
    /// @throws IllegalArgumentException if shapes or dtypes don't belong together
    public QuantizedWeight(QuantScheme scheme, DType dtype, DType computeDtype, Quantized quantized) {
        this.scheme = scheme;
        this.dtype = dtype;
        this.computeDtype = computeDtype;
        requireFit(quantized, grid());
        this.matrix = GridMatrix.of(quantized, grid());
        matrix.parts().forEach(Scope::own);
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

    /// The codes as they are kept.
    public GridMatrix matrix() {
        return matrix;
    }

    /// `[N, K]` codes, and their scales, unpacked by each call: the caller's to free.
    public Quantized quantized() {
        return matrix.quantized(0, shape()[0]);
    }

    /// The grid that the codes belong to.
    public Grid grid() {
        return scheme.weights(dtype);
    }

    @Override
    public Optional<RowMatrix> row() {
        return matrix.row();
    }

    @Override
    public Tensor rows(Tensor ids) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return scope.keep(Ops.to(matrix.rows(ids), computeDtype));
        }
    }

    @Override
    public Tensor value() {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return scope.keep(Ops.to(matrix.dequantize(), computeDtype));
        }
    }

    @Override
    public long[] shape() {
        return matrix.shape();
    }

    @Override
    public void close() {
        matrix.parts().forEach(Tensor::close);
    }
}
