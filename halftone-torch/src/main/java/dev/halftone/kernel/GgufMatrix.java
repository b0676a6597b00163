package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;

/// A matrix in blocks of a GGUF file, as they are there: of any type that can be read.
///
/// Values are those of gguf-py, rounded from float32 to the wanted type. Blocks are unpacked on the CPU whatever the
/// device of the values.
public final class GgufMatrix implements PackedMatrix {
    private final GgmlType type;
    private final Tensor bytes;
    private final long[] shape;
    private final DType dtype;
    private final Device device;

    /// @param bytes uint8 `[bytes]` on the CPU: row after row
    /// @param shape `[N, K]`
    /// @param dtype of the values: float32 or bfloat16
    /// @param device where values are wanted
    /// @throws IllegalArgumentException if the bytes are not those of such a matrix
    public GgufMatrix(GgmlType type, Tensor bytes, long[] shape, DType dtype, Device device) {
        if (shape[1] % type.blockSize() != 0
                || bytes.numel() != shape[0] * shape[1] / type.blockSize() * type.blockBytes()) {
            throw new IllegalArgumentException(
                    "%d bytes are no %d rows of %d %s".formatted(bytes.numel(), shape[0], shape[1], type));
        }
        this.type = type;
        this.bytes = bytes;
        this.shape = shape.clone();
        this.dtype = dtype;
        this.device = device;
    }

    public GgmlType type() {
        return type;
    }

    @Override
    public long[] shape() {
        return shape.clone();
    }

    @Override
    public Tensor dequantize() {
        try (Scope scope = Scope.open()) {
            Tensor out = Torch.empty(dtype, shape);
            unpack(IntStream.range(0, (int) shape[0]).toArray(), out);
            return scope.keep(Ops.to(out, device));
        }
    }

    @Override
    public Tensor rows(Tensor ids) {
        try (Scope scope = Scope.open()) {
            int[] rows =
                    Arrays.stream(Torch.longs(ids)).mapToInt(Math::toIntExact).toArray();
            long[] to = Arrays.copyOf(Torch.shape(ids), Math.toIntExact(ids.dim() + 1));
            to[to.length - 1] = shape[1];
            Tensor out = Torch.empty(dtype, to);
            unpack(rows, out);
            return scope.keep(Ops.to(out, device));
        }
    }

    private void unpack(int[] rows, Tensor out) {
        int columns = Math.toIntExact(shape[1]);
        long rowBytes = (long) columns / type.blockSize() * type.blockBytes();
        MemorySegment from = Torch.memory(bytes);
        MemorySegment to = Torch.memory(out);
        Parallel.run(rows.length, columns, (first, end) -> {
            float[] row = new float[columns];
            for (int r = first; r < end; r++) {
                type.dequantize(from, rows[r] * rowBytes, row);
                if (dtype != DType.F32) {
                    for (int i = 0; i < columns; i++) {
                        row[i] = Rounding.round(row[i], dtype);
                    }
                }
                Tiles.store(row, columns, to, (long) r * columns, dtype);
            }
        });
    }

    @Override
    public Optional<RowMatrix> row() {
        return RowMatrix.of(type, bytes, Math.toIntExact(shape[0]), Math.toIntExact(shape[1]));
    }

    @Override
    public List<Tensor> parts() {
        return List.of(bytes);
    }
}
