package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// One row times a matrix as it lies in memory ([RowMatrix]), beside libtorch's `linear` over its values in float32.
/// The matrix is that of the head, 28 million weights, more than caches hold; fewer `rows` fit into them.
public class RowProduct extends Pair {
    public enum Format {
        F32(Floats::new),
        BF16(w -> new Floats(Ops.to(w, DType.BF16))),
        INT2(codes(new IntxScheme(2, new Granularity.PerGroup(32), false, Numerics.TORCHAO))),
        INT4(codes(new IntxScheme(4, new Granularity.PerGroup(32), false, Numerics.TORCHAO))),
        INT4_OFFSETS(codes(CompressedIntScheme.w4a16(new Granularity.PerGroup(32), false))),
        INT8(codes(new IntxScheme(8, new Granularity.PerGroup(32), false, Numerics.TORCHAO))),
        FLOAT8(codes(new Float8Scheme(new Granularity.PerAxis()))),
        MXFP4(codes(MxScheme.of(MxFormat.MXFP4, null, MxScaleMode.FLOOR))),
        MXFP8(codes(MxScheme.of(MxFormat.MXFP8_E4M3, null, MxScaleMode.FLOOR))),
        NVFP4(codes(new Nvfp4Scheme(false, true, Numerics.TORCHAO))),
        /// In blocks of a GGUF file, as all that follow but the last.
        Q4_0(blocks(GgufLattice.Q4_0)),
        Q4_1(blocks(GgufLattice.Q4_1)),
        Q5_0(blocks(GgufLattice.Q5_0)),
        Q5_1(blocks(GgufLattice.Q5_1)),
        Q8_0(blocks(GgufLattice.Q8_0)),
        /// Decoded row after row ([DecodedRows]).
        MXFP4_BLOCKS(blocks(GgufLattice.MXFP4)),
        /// Without a [RowMatrix]: the values are made, and multiplied by libtorch.
        NF4(Nf4Matrix::of);

        final Function<Tensor, PackedMatrix> pack;

        Format(Function<Tensor, PackedMatrix> pack) {
            this.pack = pack;
        }

        private static Function<Tensor, PackedMatrix> codes(QuantScheme scheme) {
            return w -> GridMatrix.of(quantize(w, scheme), scheme.weights(DType.F32));
        }

        private static Function<Tensor, PackedMatrix> blocks(GgufLattice lattice) {
            QuantScheme scheme = new GgufScheme(lattice, false);
            return w -> new GgufMatrix(
                    LatticeBlocks.type(lattice),
                    GgufRows.pack(quantize(w, scheme), (GgufGrid) scheme.weights(DType.F32)),
                    Torch.shape(w),
                    DType.F32,
                    Device.CPU);
        }

        private static Quantized quantize(Tensor w, QuantScheme scheme) {
            return Kernels.VECTOR.of(scheme.weights(DType.F32)).quantize(w);
        }
    }

    private record Floats(Tensor w) implements PackedMatrix {
        @Override
        public long[] shape() {
            return Torch.shape(w);
        }

        @Override
        public Tensor dequantize() {
            return w;
        }

        @Override
        public Optional<RowMatrix> row() {
            return RowMatrix.of(w);
        }

        @Override
        public List<Tensor> parts() {
            return List.of(w);
        }
    }

    @Param
    Format format;

    @Param("49152")
    int rows;

    private PackedMatrix matrix;
    private Optional<RowMatrix> row;
    private Tensor values;
    private Tensor x;

    @Override
    void prepare() {
        matrix = format.pack.apply(normal(0.05, DType.F32, rows, 576));
        row = matrix.row();
        values = Ops.to(matrix.dequantize(), DType.F32);
        x = normal(1, DType.F32, 1, 576);
    }

    @Override
    List<Tensor> kernel() {
        return List.of(
                row.isPresent()
                        ? Torch.of(RowMatrix.multiply(Torch.floats(x), row.get())[0], 1, rows)
                        : PackedProduct.linear(x, matrix::dequantize, rows, null));
    }

    @Override
    List<Tensor> aten() {
        return List.of(Ops.linear(x, values, null));
    }
}
