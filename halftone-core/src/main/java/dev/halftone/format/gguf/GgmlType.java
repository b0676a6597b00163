package dev.halftone.format.gguf;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Element types of ggml: how many weights a block holds, how many bytes it takes, and how to read it.
///
/// A row is a whole number of blocks. Types without a decoder can be named and measured, not read.
public enum GgmlType {
    F32(0, 1, 4, SimpleBlocks::f32),
    F16(1, 1, 2, SimpleBlocks::f16),
    Q4_0(2, 32, 18, SimpleBlocks::q4x0),
    Q4_1(3, 32, 20, SimpleBlocks::q4x1),
    Q5_0(6, 32, 22, SimpleBlocks::q5x0),
    Q5_1(7, 32, 24, SimpleBlocks::q5x1),
    Q8_0(8, 32, 34, SimpleBlocks::q8x0),
    Q8_1(9, 32, 40, null),
    Q2_K(10, 256, 84, SuperBlocks::q2k),
    Q3_K(11, 256, 110, SuperBlocks::q3k),
    Q4_K(12, 256, 144, SuperBlocks::q4k),
    Q5_K(13, 256, 176, SuperBlocks::q5k),
    Q6_K(14, 256, 210, SuperBlocks::q6k),
    Q8_K(15, 256, 292, null),
    IQ2_XXS(16, 256, 66, null),
    IQ2_XS(17, 256, 74, null),
    IQ3_XXS(18, 256, 98, null),
    IQ1_S(19, 256, 50, null),
    IQ4_NL(20, 32, 18, SimpleBlocks::iq4nl),
    IQ3_S(21, 256, 110, null),
    IQ2_S(22, 256, 82, null),
    IQ4_XS(23, 256, 136, SuperBlocks::iq4xs),
    I8(24, 1, 1, null),
    I16(25, 1, 2, null),
    I32(26, 1, 4, null),
    I64(27, 1, 8, null),
    F64(28, 1, 8, null),
    IQ1_M(29, 256, 56, null),
    BF16(30, 1, 2, SimpleBlocks::bf16),
    TQ1_0(34, 256, 54, SuperBlocks::tq1x0),
    TQ2_0(35, 256, 66, SuperBlocks::tq2x0),
    MXFP4(39, 32, 17, SimpleBlocks::mxfp4),
    NVFP4(40, 64, 36, SimpleBlocks::nvfp4),
    Q1_0(41, 128, 18, null);

    /// Reads one block.
    @FunctionalInterface
    interface Decoder {
        /// @param data where the block lies
        /// @param at its first byte
        /// @param out receives float32 values
        /// @param o index of the first
        void decode(MemorySegment data, long at, float[] out, int o);
    }

    private static final Map<Integer, GgmlType> BY_ID =
            Arrays.stream(values()).collect(Collectors.toMap(GgmlType::id, Function.identity()));

    private final int id;
    private final int blockSize;
    private final int blockBytes;

    @SuppressWarnings("ImmutableEnumChecker") // a method reference
    private final @Nullable Decoder decoder;

    GgmlType(int id, int blockSize, int blockBytes, @Nullable Decoder decoder) {
        this.id = id;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
        this.decoder = decoder;
    }

    /// The type that files give this number, if it is known.
    public static Optional<GgmlType> of(int id) {
        return Optional.ofNullable(BY_ID.get(id));
    }

    /// The number that stands for this type in files.
    public int id() {
        return id;
    }

    /// Weights in a block.
    public int blockSize() {
        return blockSize;
    }

    /// Bytes of a block.
    public int blockBytes() {
        return blockBytes;
    }

    /// Bits that a weight takes, its share of the block's scales included.
    public double bitsPerWeight() {
        return 8.0 * blockBytes / blockSize;
    }

    /// The values of whole blocks, row-major.
    ///
    /// @throws IllegalArgumentException if this type cannot be read, or the bytes are not whole blocks
    public float[] dequantize(MemorySegment blocks) {
        if (blocks.byteSize() % blockBytes != 0) {
            throw new IllegalArgumentException("no blocks of %s in %d bytes".formatted(this, blocks.byteSize()));
        }
        float[] out = new float[Math.toIntExact(blocks.byteSize() / blockBytes * blockSize)];
        dequantize(blocks, 0, out);
        return out;
    }

    /// The values of the blocks from byte `at` on, as many as `out` has room for.
    ///
    /// @param out as long as some blocks together
    /// @throws IllegalArgumentException if this type cannot be read
    public void dequantize(MemorySegment data, long at, float[] out) {
        if (decoder == null) {
            throw new IllegalArgumentException("%s cannot be read".formatted(this));
        }
        for (int o = 0; o < out.length; o += blockSize) {
            decoder.decode(data, at + (long) o / blockSize * blockBytes, out, o);
        }
    }

    /// Reads blocks as float32, or is empty for a type that cannot be read.
    Optional<Decoder> decoder() {
        return Optional.ofNullable(decoder);
    }
}
