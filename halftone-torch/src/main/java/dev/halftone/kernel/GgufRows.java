package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.Oracle;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;

/// Quantized tensors as the rows of a GGUF file, and back: [LatticeBlocks] for tensors.
public final class GgufRows {
    private GgufRows() {}

    /// @param q codes `[…, K]` of `grid`, on any device
    /// @return uint8 `[…, bytes of a row]` on the CPU, whatever the device of `q`
    public static Tensor pack(Quantized q, GgufGrid grid) {
        byte[] raw = LatticeBlocks.pack(ReferenceKernel.codes(q), grid.lattice());
        long[] shape = Torch.shape(q.codes());
        shape[shape.length - 1] = shape[shape.length - 1] / grid.lattice().blockSize() * blockBytes(grid);
        return Torch.of(MemorySegment.ofArray(raw), DType.U8, shape);
    }

    /// The codes and scales that [#pack] packed.
    ///
    /// @param raw uint8 `[…, bytes of a row]` on the CPU
    /// @throws IllegalArgumentException if rows are not whole blocks of bytes
    public static Quantized unpack(Tensor raw, GgufGrid grid) {
        long[] shape = Torch.shape(raw);
        int last = shape.length - 1;
        if (Torch.dtype(raw) != DType.U8 || shape[last] % blockBytes(grid) != 0) {
            throw new IllegalArgumentException(
                    "rows of %d %s are no %s".formatted(shape[last], Torch.dtype(raw), grid.lattice()));
        }
        try (Scope scope = Scope.open()) {
            byte[] bytes = Torch.memory(raw.contiguous()).toArray(ValueLayout.JAVA_BYTE);
            Oracle.Codes q = LatticeBlocks.unpack(bytes, grid.lattice());
            float[] minima = q.zeroPoints();
            shape[last] /= blockBytes(grid);
            Tensor scale = Ops.to(Torch.of(q.scales(), shape), grid.scaleDtype());
            Tensor minimum = minima == null ? null : Ops.to(Torch.of(minima, shape), DType.F16);
            shape[last] *= grid.lattice().blockSize();
            Tensor codes = Torch.of(MemorySegment.ofArray(q.codes()), grid.codeDtype(), shape);
            return new Quantized(
                    scope.keep(codes), scope.keep(scale), minimum == null ? null : scope.keep(minimum), null);
        }
    }

    private static int blockBytes(GgufGrid grid) {
        return LatticeBlocks.type(grid.lattice()).blockBytes();
    }
}
