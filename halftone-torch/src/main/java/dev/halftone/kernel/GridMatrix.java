package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Grid;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A matrix of any [Grid]: up to 2 bits a code four codes a byte, up to 4 bits two, else one; where they do not fill
/// the bytes of a row, one.
///
/// The first of the codes of a byte lies in its lowest bits, as an unsigned number: so do torchao, ModelOpt and
/// compressed-tensors store codes of 4 bits. They are unpacked some rows at a time.
public final class GridMatrix implements PackedMatrix {
    /// Values that are unpacked at once.
    private static final long PIECE = 1 << 20;

    private final Grid grid;
    private final long[] shape;
    private final int perByte;
    private final Quantized packed;

    private GridMatrix(Grid grid, long[] shape, int perByte, Quantized packed) {
        this.grid = grid;
        this.shape = shape;
        this.perByte = perByte;
        this.packed = packed;
    }

    /// @param quantized `[N, K]`, of which the matrix keeps what it need not pack
    public static GridMatrix of(Quantized quantized, Grid grid) {
        Tensor codes_NK = quantized.codes();
        long[] shape = Torch.shape(codes_NK);
        int fit = grid.codeBits() <= 2 ? 4 : grid.codeBits() <= 4 ? 2 : 1;
        int perByte = shape[1] % fit == 0 ? fit : 1;
        return new GridMatrix(
                grid,
                shape,
                perByte,
                perByte == 1
                        ? quantized
                        : new Quantized(
                                pack(codes_NK, perByte, grid),
                                quantized.scale(),
                                quantized.zeroPoint(),
                                quantized.tensorScale()));
    }

    private static Tensor pack(Tensor codes_NK, int perByte, Grid grid) {
        long rows = codes_NK.size(0);
        long perRow = codes_NK.size(1) / perByte;
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor packed = Torch.emptyLike(codes_NK, DType.U8, new long[] {rows, perRow});
            pieces(codes_NK.size(1), rows, (from, n) -> {
                Tensor unsigned = Ops.to(codes_NK.narrow(0, from, n).add(new Scalar(offset(grid))), DType.U8)
                        .view(n, perRow, perByte);
                Tensor piece = packed.narrow(0, from, n).zero_();
                for (int i = 0; i < perByte; i++) {
                    piece.add_(unsigned.select(2, i).mul(new Scalar(1 << i * 8 / perByte)));
                }
            });
            return scope.keep(packed);
        }
    }

    /// Some rows: `n` from `from` on.
    private interface Piece {
        void run(long from, long n);
    }

    private static void pieces(long columns, long rows, Piece work) {
        long step = Math.max(1, PIECE / Math.max(1, columns));
        for (long from = 0; from < rows; from += step) {
            try (Scope _ = Scope.open()) {
                work.run(from, Math.min(step, rows - from));
            }
        }
    }

    /// What makes signed codes unsigned.
    static int offset(Grid grid) {
        return grid.codeDtype() == DType.I8 ? 1 << grid.codeBits() - 1 : 0;
    }

    private Tensor unpack(Tensor packed) {
        if (perByte == 1) {
            return packed;
        }
        int bits = 8 / perByte;
        List<Tensor> parts = new ArrayList<>();
        for (int i = 0; i < perByte; i++) {
            parts.add(packed.bitwise_right_shift(new Scalar(i * bits)).bitwise_and(new Scalar((1 << bits) - 1)));
        }
        Tensor unsigned = Ops.stack(parts, -1).view(packed.size(0), shape[1]);
        return Ops.to(unsigned, grid.codeDtype()).sub_(new Scalar(offset(grid)));
    }

    /// Some rows as codes and scales.
    ///
    /// @param few picks them of a tensor with N rows
    private Quantized some(UnaryOperator<Tensor> few) {
        Tensor scale = packed.scale();
        Tensor zeroPoint = packed.zeroPoint();
        boolean byRow = scale.size(0) == shape[0];
        return new Quantized(
                unpack(few.apply(packed.codes())),
                byRow ? few.apply(scale) : scale.detach(),
                zeroPoint == null ? null : byRow ? few.apply(zeroPoint) : zeroPoint.detach(),
                packed.tensorScale());
    }

    /// Codes, a byte each, and scales of some rows: `n` from `from` on. What need not be unpacked is a view.
    public Quantized quantized(long from, long n) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Quantized q = some(t -> t.narrow(0, from, n));
            scope.keep(q.codes());
            scope.keep(q.scale());
            if (q.zeroPoint() != null) {
                scope.keep(q.zeroPoint());
            }
            return q;
        }
    }

    /// The scales, as in [Quantized].
    public Tensor scale() {
        return packed.scale();
    }

    /// The zero points, as in [Quantized].
    public @Nullable Tensor zeroPoint() {
        return packed.zeroPoint();
    }

    /// What the scales are scaled by, as in [Quantized].
    public @Nullable Tensor tensorScale() {
        return packed.tensorScale();
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    @Override
    public Tensor dequantize() {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor values = Torch.emptyLike(packed.codes(), grid.dtype(), shape);
            pieces(
                    shape[1],
                    shape[0],
                    (from, n) -> values.narrow(0, from, n).copy_(dequantize(some(t -> t.narrow(0, from, n)))));
            return scope.keep(values);
        }
    }

    private Tensor dequantize(Quantized few) {
        return Kernels.of(null, grid, few.codes()).dequantize(few);
    }

    @Override
    public Tensor rows(Tensor ids) {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor flat = ids.reshape(-1);
            long[] to = Arrays.copyOf(Torch.shape(ids), Math.toIntExact(ids.dim() + 1));
            to[to.length - 1] = shape[1];
            return scope.keep(dequantize(some(t -> select(t, flat))).view(to));
        }
    }

    /// As bytes, where an element is one: libtorch cannot pick rows of every 8-bit type.
    private static Tensor select(Tensor t, Tensor rows) {
        return t.element_size() == 1
                ? Ops.view(Ops.view(t, DType.U8).index_select(0, rows), Torch.dtype(t))
                : t.index_select(0, rows);
    }

    /// {@inheritDoc}
    ///
    /// Where the arithmetic of the grid is in bfloat16, the values are not rounded to it here.
    @Override
    public Optional<RowMatrix> row() {
        return RowMatrix.of(packed, grid, perByte);
    }

    @Override
    public List<Tensor> parts() {
        return packed.parts();
    }
}
