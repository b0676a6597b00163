package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;

/// A matrix `[N, K]` on the CPU that a single row is multiplied by, as it lies in memory: packed where it is packed.
///
/// A product with one row reads each weight once, so that what counts is how little is read and how little is done
/// with it. Activations stay float32; codes become float32 in registers, and a block's scale is applied to the
/// block's sum. Sums run in [RowVectors#LANES] lanes and a fixed tree, so that the bits depend neither on the width of
/// the machine's vectors nor on the number of threads.
///
/// It does not keep the tensors alive that it was made of: it serves while their owner does.
public interface RowMatrix {
    /// N.
    int rows();

    /// K.
    int columns();

    /// Rows `from` to `to - 1` of the product.
    ///
    /// @param x `[K]`
    /// @param y `[N]`
    void multiply(float[] x, float[] y, int from, int to);

    /// A matrix of floats; empty where it is not float32 or bfloat16 in one piece on the CPU, or the JVM has no
    /// vectors.
    static Optional<RowMatrix> of(Tensor w_NK) {
        DType dtype = Torch.dtype(w_NK);
        return usable(w_NK) && (dtype == DType.F32 || dtype == DType.BF16)
                ? Optional.of(new FloatRows(Torch.memory(w_NK), dtype, size(w_NK, 0), size(w_NK, 1)))
                : Optional.empty();
    }

    /// A matrix of codes of any grid, packed as [GridMatrix] packs them; empty where it has none, and elsewhere than on
    /// the CPU.
    ///
    /// @param perByte codes in a byte
    static Optional<RowMatrix> of(Quantized packed, Grid grid, int perByte) {
        return usable(packed.codes()) && packed.codes().numel() > 0
                ? Optional.of(CodeRows.of(packed, grid, perByte))
                : Optional.empty();
    }

    /// A matrix in blocks of a GGUF file, of any type that can be read.
    ///
    /// @param bytes uint8, the blocks of row after row
    static Optional<RowMatrix> of(GgmlType type, Tensor bytes, int rows, int columns) {
        if (!usable(bytes)) {
            return Optional.empty();
        }
        MemorySegment w = Torch.memory(bytes);
        if (BlockRows.reads(type)) {
            return Optional.of(new BlockRows(type, w, rows, columns));
        }
        return Optional.of(
                FiveBitRows.reads(type)
                        ? new FiveBitRows(type, w, rows, columns)
                        : new DecodedRows(type, w, rows, columns));
    }

    /// One row times several matrices, on as many threads as libtorch uses.
    ///
    /// @param x `[K]`
    /// @return `[N]` for each
    static float[][] multiply(float[] x, RowMatrix... matrices) {
        float[][] y = new float[matrices.length][];
        int rows = 0;
        for (int i = 0; i < y.length; i++) {
            y[i] = new float[matrices[i].rows()];
            rows += y[i].length;
        }
        Parallel.run(rows, x.length, (from, to) -> {
            int first = 0;
            for (int i = 0; i < y.length; i++) {
                int begin = Math.max(from - first, 0);
                int end = Math.min(to - first, y[i].length);
                if (begin < end) {
                    matrices[i].multiply(x, y[i], begin, end);
                }
                first += y[i].length;
            }
        });
        return y;
    }

    private static boolean usable(Tensor t) {
        return Kernels.vectors() && t.is_cpu() && t.is_contiguous();
    }

    private static int size(Tensor t, int dimension) {
        return Math.toIntExact(t.size(dimension));
    }
}
