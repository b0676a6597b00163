package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int32Packing;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.bytedeco.pytorch.Tensor;

/// Codes in 32-bit words ([Int32Packing]), as tensors: compressed-tensors' `weight_packed`. Unsigned codes
/// are stored as they are, signed ones with half their range added.
final class PackedCodes {
    private PackedCodes() {}

    /// @param codes_NK in the grid's code dtype
    /// @return `[N, words]` int32 on the CPU
    static Tensor pack(Tensor codes_NK, Grid grid) {
        int columns = Math.toIntExact(codes_NK.size(1));
        try (Scope scope = Scope.open()) {
            byte[] codes = Torch.memory(codes_NK.cpu().contiguous()).toArray(ValueLayout.JAVA_BYTE);
            shift(codes, grid, -1);
            int[] words = Int32Packing.pack(codes, columns, grid.codeBits());
            int perRow = Int32Packing.wordsPerRow(columns, grid.codeBits());
            return scope.keep(Torch.of(MemorySegment.ofArray(words), DType.I32, codes_NK.size(0), perRow));
        }
    }

    /// The codes that [#pack] packed, `[N, columns]`.
    ///
    /// @param packed_NW int32 on the CPU
    /// @throws IllegalArgumentException if the rows of `packed_NW` have not as many words as `columns` codes
    ///     need
    static Tensor unpack(Tensor packed_NW, int columns, Grid grid) {
        int bits = grid.codeBits();
        if (packed_NW.size(1) != Int32Packing.wordsPerRow(columns, bits)) {
            throw new IllegalArgumentException(
                    "%d codes of %d bits are not in %d words".formatted(columns, bits, packed_NW.size(1)));
        }
        try (Scope scope = Scope.open()) {
            int[] words = Torch.memory(packed_NW.contiguous()).toArray(ValueLayout.JAVA_INT_UNALIGNED);
            byte[] codes = Int32Packing.unpack(words, columns, bits);
            shift(codes, grid, 1);
            return scope.keep(Torch.of(MemorySegment.ofArray(codes), grid.codeDtype(), packed_NW.size(0), columns));
        }
    }

    /// Signed zero points, which are codes themselves, packed along the rows: compressed-tensors'
    /// `weight_zero_point`.
    ///
    /// @param zeroPoints_NG int8
    /// @return `[words, G]` int32 on the CPU
    static Tensor packColumns(Tensor zeroPoints_NG, Grid grid) {
        try (Scope scope = Scope.open()) {
            return scope.keep(pack(zeroPoints_NG.t(), grid).t().contiguous());
        }
    }

    /// The zero points that [#packColumns] packed, `[rows, G]`.
    ///
    /// @param packed_WG int32 on the CPU
    static Tensor unpackColumns(Tensor packed_WG, int rows, Grid grid) {
        try (Scope scope = Scope.open()) {
            return scope.keep(unpack(packed_WG.t(), rows, grid).t().contiguous());
        }
    }

    /// Between unsigned codes and the signed ones that the packing is made for.
    private static void shift(byte[] codes, Grid grid, int sign) {
        if (grid.codeDtype() == DType.U8) {
            int half = 1 << (grid.codeBits() - 1);
            for (int i = 0; i < codes.length; i++) {
                codes[i] = (byte) (codes[i] + sign * half);
            }
        }
    }
}
