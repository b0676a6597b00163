package dev.halftone.quant;

/// Codes of 1 to 8 bits in 32-bit words: the layout of `weight_packed` in compressed-tensors' `pack-quantized`
/// format (`pack_to_int32`, 0.20), which vLLM reads.
///
/// A row is one string of bits, little end first: code `i`, with 2^(bits-1) added to make it unsigned, occupies
/// bits `i·bits` to `(i+1)·bits - 1`. A code of 3, 5, 6 or 7 bits may so straddle two words. Each row starts on a
/// word of its own, padded with zero bits.
public final class Int32Packing {
    private Int32Packing() {}

    /// Words that a row of `columns` codes takes.
    public static int wordsPerRow(int columns, int bits) {
        return Math.toIntExact(((long) columns * bits + 31) / 32);
    }

    /// @param codes signed codes of `bits` bits in row-major order
    /// @param columns codes in a row
    /// @return `[rows, wordsPerRow(columns, bits)]` in row-major order
    public static int[] pack(byte[] codes, int columns, int bits) {
        int words = wordsPerRow(columns, bits);
        int[] packed = new int[codes.length / columns * words];
        int offset = 1 << (bits - 1);
        int mask = (1 << bits) - 1;
        for (int row = 0, i = 0; i < codes.length; row++) {
            for (int column = 0; column < columns; column++, i++) {
                long bit = (long) column * bits;
                long code = (long) (codes[i] + offset & mask) << (bit % 32);
                int word = row * words + (int) (bit / 32);
                packed[word] |= (int) code;
                if (code >>> 32 != 0) {
                    packed[word + 1] |= (int) (code >>> 32);
                }
            }
        }
        return packed;
    }

    /// The inverse of [#pack].
    ///
    /// @param packed `[rows, wordsPerRow(columns, bits)]` in row-major order
    /// @return signed codes in row-major order
    public static byte[] unpack(int[] packed, int columns, int bits) {
        int words = wordsPerRow(columns, bits);
        int rows = packed.length / words;
        byte[] codes = new byte[Math.multiplyExact(rows, columns)];
        int offset = 1 << (bits - 1);
        int mask = (1 << bits) - 1;
        for (int row = 0, i = 0; row < rows; row++) {
            for (int column = 0; column < columns; column++, i++) {
                long bit = (long) column * bits;
                int word = row * words + (int) (bit / 32);
                long next = bit % 32 + bits > 32 ? packed[word + 1] : 0;
                long window = next << 32 | Integer.toUnsignedLong(packed[word]);
                codes[i] = (byte) ((int) (window >>> (bit % 32) & mask) - offset);
            }
        }
        return codes;
    }
}
