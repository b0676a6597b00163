package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.Grid;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A matrix of any [Grid]: up to 2 bits a code four codes a byte, up to 4 bits two, else one; where they do not fill
/// the bytes of a row, one.
public final class GridMatrix implements PackedMatrix {
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

    /// @param quantized `[N, K]`, which is copied
    public static GridMatrix of(Quantized quantized, Grid grid) {
        Tensor codes_NK = quantized.codes();
        int perByte = grid.codeBits() <= 2 ? 4 : grid.codeBits() <= 4 ? 2 : 1;
        if (codes_NK.size(1) % perByte != 0) {
            perByte = 1;
        }
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor packed = perByte == 1 ? Ops.copy(codes_NK) : pack(codes_NK, perByte, grid);
            return new GridMatrix(
                    grid,
                    Torch.shape(codes_NK),
                    perByte,
                    new Quantized(
                            scope.keep(packed),
                            scope.keep(Ops.copy(quantized.scale())),
                            copy(quantized.zeroPoint(), scope),
                            copy(quantized.tensorScale(), scope)));
        }
    }

    private static @Nullable Tensor copy(@Nullable Tensor t, Scope scope) {
        return t == null ? null : scope.keep(Ops.copy(t));
    }

    /// The first of the codes in the lowest bits, as unsigned numbers.
    private static Tensor pack(Tensor codes_NK, int perByte, Grid grid) {
        Tensor unsigned =
                Ops.to(codes_NK.add(new Scalar(offset(grid))), DType.U8).view(-1, perByte);
        Tensor packed = unsigned.select(1, 0).contiguous();
        for (int i = 1; i < perByte; i++) {
            packed = packed.add(unsigned.select(1, i).mul(new Scalar(1 << i * 8 / perByte)));
        }
        return packed;
    }

    /// What makes signed codes unsigned.
    private static int offset(Grid grid) {
        return grid.codeDtype() == DType.I8 ? 1 << grid.codeBits() - 1 : 0;
    }

    private Tensor codes() {
        Tensor p = packed.codes();
        if (perByte == 1) {
            return p;
        }
        int bits = 8 / perByte;
        List<Tensor> parts = new ArrayList<>();
        for (int i = 0; i < perByte; i++) {
            parts.add(p.bitwise_right_shift(new Scalar(i * bits)).bitwise_and(new Scalar((1 << bits) - 1)));
        }
        Tensor unsigned = Ops.stack(parts, -1).view(shape);
        return Ops.to(unsigned, grid.codeDtype()).sub_(new Scalar(offset(grid)));
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    @Override
    public Tensor dequantize() {
        try (Scope scope = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Quantized q = new Quantized(codes(), packed.scale(), packed.zeroPoint(), packed.tensorScale());
            return scope.keep(Kernels.of(null, grid, packed.codes()).dequantize(q));
        }
    }

    @Override
    public List<Tensor> parts() {
        return packed.parts();
    }
}
