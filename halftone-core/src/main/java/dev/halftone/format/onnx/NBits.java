package dev.halftone.format.onnx;

import dev.halftone.quant.Grid;
import java.util.Optional;

/// How `com.microsoft::MatMulNBits` has the codes of a weight `[N, K]`, of which it takes 2, 4 or 8 bits:
/// unsigned, in blocks of a row that share a scale. The value of a code is `(code - zero point) · scale` in
/// float32; where no zero points are given they are the middle code.
///
/// Codes that are signed here are stored with that middle code added, those of 3 bits in 4, of 5 to 7 in 8. A
/// block has a power of two of codes, 16 at least: a larger group, or a row, is cut into blocks that repeat
/// its scale.
///
/// @param bits of a stored code
/// @param block codes that share a scale
public record NBits(int bits, int block) {
    private static final int SMALLEST = 16;
    /// What onnxruntime has kernels for; a larger block goes a slower way.
    private static final int LARGEST = 256;

    /// The layout of a grid's codes; empty where its groups are cut into no blocks that large, and each code
    /// has a byte of its own.
    ///
    /// @param columns of the weight
    public static Optional<NBits> of(Grid grid, int columns) {
        int group = grid.granularity().groupSize(columns);
        int block = Math.min(LARGEST, Integer.lowestOneBit(group));
        int bits = grid.codeBits() <= 2 ? 2 : grid.codeBits() <= 4 ? 4 : 8;
        return block < SMALLEST ? Optional.empty() : Optional.of(new NBits(bits, block));
    }

    /// Codes in a byte, the first in the lowest bits.
    public int perByte() {
        return Byte.SIZE / bits;
    }

    /// What is added to a signed code: the code of zero.
    public int middle() {
        return 1 << (bits - 1);
    }

    /// Bytes of `n` codes; those that are left of the last byte are 0.
    public int bytes(int n) {
        return Math.ceilDiv(n * bits, Byte.SIZE);
    }

    /// @param codes signed
    public byte[] pack(byte[] codes) {
        byte[] packed = new byte[bytes(codes.length)];
        for (int i = 0; i < codes.length; i++) {
            packed[i / perByte()] |= (byte) ((codes[i] + middle()) << bits * (i % perByte()));
        }
        return packed;
    }

    /// The inverse of [#pack].
    ///
    /// @param n number of codes
    public byte[] unpack(byte[] packed, int n) {
        byte[] codes = new byte[n];
        for (int i = 0; i < n; i++) {
            int stored = Byte.toUnsignedInt(packed[i / perByte()]) >> bits * (i % perByte()) & (1 << bits) - 1;
            codes[i] = (byte) (stored - middle());
        }
        return codes;
    }
}
