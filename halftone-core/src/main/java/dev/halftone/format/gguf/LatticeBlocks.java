package dev.halftone.format.gguf;

import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufLattice.Rule;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Oracle.Codes;
import dev.halftone.quant.QuantScheme;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/// Codes and scales as the bytes of GGUF blocks, and back. Layouts stand in [SimpleBlocks] and [SuperBlocks], which
/// read the same bytes as values.
///
/// Codes that are signed here are stored with their offset added; only Q8_0 stores them as they are.
public final class LatticeBlocks {
    private static final int E8M0_NAN = 255;
    /// Three runs of bytes with base-3 digits: bytes, and digits in each. All first digits of a run come before all
    /// its second digits.
    private static final int[][] TERNARY_RUNS = {{32, 5}, {16, 5}, {4, 4}};

    private LatticeBlocks() {}

    /// The element type of a lattice in files.
    public static GgmlType type(GgufLattice lattice) {
        return GgmlType.valueOf(lattice.name());
    }

    /// The lattice whose blocks hold the codes and scales of a scheme's weights as they are: its own, or the
    /// narrowest with all its codes; empty where there is none. Scales must then be float16 numbers, which a scheme
    /// does not tell.
    public static Optional<GgufLattice> holding(QuantScheme scheme) {
        return switch (scheme) {
            case GgufScheme s -> Optional.of(s.lattice());
            case MxScheme s when s.weights() == MxFormat.MXFP4 -> Optional.of(GgufLattice.MXFP4);
            case IntxScheme s -> symmetric(s.weightBits(), s.granularity());
            case CompressedIntScheme s when s.symmetric() -> symmetric(s.weightBits(), s.granularity());
            default -> Optional.empty();
        };
    }

    private static Optional<GgufLattice> symmetric(int bits, Granularity granularity) {
        GgufLattice lattice = bits <= 4 ? GgufLattice.Q4_0 : bits == 5 ? GgufLattice.Q5_0 : GgufLattice.Q8_0;
        boolean whole = switch (granularity) {
            case Granularity.PerGroup(int size) -> size % lattice.blockSize() == 0;
            case Granularity.PerAxis() -> true;
            case Granularity.PerTensor() -> false;
        };
        return whole ? Optional.of(lattice) : Optional.empty();
    }

    /// @param q whole blocks in the order of the weights
    /// @return the blocks of [#type], one after the other
    public static byte[] pack(Codes q, GgufLattice lattice) {
        int blocks = q.codes().length / lattice.blockSize();
        byte[] raw = new byte[blocks * type(lattice).blockBytes()];
        ByteBuffer out = buffer(raw);
        int[] codes = new int[lattice.blockSize()];
        for (int b = 0; b < blocks; b++) {
            for (int i = 0; i < codes.length; i++) {
                codes[i] = q.codes()[b * codes.length + i] - offset(lattice);
            }
            switch (lattice) {
                case TQ1_0 -> packTernary(codes, out);
                case TQ2_0 -> packPairs(codes, out);
                default -> {}
            }
            packScale(q.scales()[b], lattice, out);
            if (q.zeroPoints() != null) {
                out.putShort(Float.floatToFloat16(q.zeroPoints()[b]));
            }
            switch (lattice) {
                case Q4_0, Q4_1, MXFP4 -> packNibbles(codes, out);
                case Q5_0, Q5_1 -> {
                    packFifthBits(codes, out);
                    packNibbles(codes, out);
                }
                case Q8_0 -> {
                    for (int code : codes) {
                        out.put((byte) code);
                    }
                }
                case TQ1_0, TQ2_0 -> {}
            }
        }
        return raw;
    }

    /// The inverse of [#pack].
    ///
    /// @param raw whole blocks
    public static Codes unpack(byte[] raw, GgufLattice lattice) {
        int blocks = raw.length / type(lattice).blockBytes();
        ByteBuffer in = buffer(raw);
        byte[] codes = new byte[blocks * lattice.blockSize()];
        float[] scales = new float[blocks];
        float[] minima = new float[blocks];
        int[] block = new int[lattice.blockSize()];
        for (int b = 0; b < blocks; b++) {
            switch (lattice) {
                case TQ1_0 -> unpackTernary(in, block);
                case TQ2_0 -> unpackPairs(in, block);
                default -> {}
            }
            scales[b] = unpackScale(in, lattice);
            if (lattice.hasMinimum()) {
                minima[b] = Float.float16ToFloat(in.getShort());
            }
            switch (lattice) {
                case Q4_0, Q4_1, MXFP4 -> unpackNibbles(in, 0, block);
                case Q5_0, Q5_1 -> unpackNibbles(in, in.getInt(), block);
                case Q8_0 -> {
                    for (int i = 0; i < block.length; i++) {
                        block[i] = in.get();
                    }
                }
                case TQ1_0, TQ2_0 -> {}
            }
            for (int i = 0; i < block.length; i++) {
                codes[b * block.length + i] = (byte) (block[i] + offset(lattice));
            }
        }
        return new Codes(codes, scales, lattice.hasMinimum() ? minima : null, 1);
    }

    private static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /// The code that a file stores as 0.
    private static int offset(GgufLattice lattice) {
        return lattice == GgufLattice.Q8_0 ? 0 : lattice.qmin();
    }

    private static void packScale(float scale, GgufLattice lattice, ByteBuffer out) {
        if (lattice.rule() == Rule.E2M1) {
            // The exponent is all there is: 0 is that of 2^-127, and 255 that of NaN.
            out.put((byte) (Float.floatToRawIntBits(scale) >>> 23));
        } else {
            out.putShort(Float.floatToFloat16(scale));
        }
    }

    private static float unpackScale(ByteBuffer in, GgufLattice lattice) {
        if (lattice.rule() != Rule.E2M1) {
            return Float.float16ToFloat(in.getShort());
        }
        int exponent = Byte.toUnsignedInt(in.get());
        return exponent == E8M0_NAN ? Float.NaN : Math.scalb(1f, exponent - 127);
    }

    private static void packNibbles(int[] codes, ByteBuffer out) {
        for (int i = 0; i < 16; i++) {
            out.put((byte) (codes[i] & 15 | codes[i + 16] << 4));
        }
    }

    private static void packFifthBits(int[] codes, ByteBuffer out) {
        int bits = 0;
        for (int i = 0; i < codes.length; i++) {
            bits |= codes[i] >> 4 << i;
        }
        out.putInt(bits);
    }

    private static void unpackNibbles(ByteBuffer in, int fifthBits, int[] codes) {
        for (int i = 0; i < 16; i++) {
            int b = Byte.toUnsignedInt(in.get());
            codes[i] = b & 15 | (fifthBits >>> i & 1) << 4;
            codes[i + 16] = b >> 4 | (fifthBits >>> (i + 16) & 1) << 4;
        }
    }

    /// Two bits for each code: code `e` in byte `32 (e / 128) + e % 32`, at bit `2 (e / 32 % 4)`.
    private static void packPairs(int[] codes, ByteBuffer out) {
        for (int i = 0; i < codes.length; i += 128) {
            for (int j = i; j < i + 32; j++) {
                out.put((byte) (codes[j] | codes[j + 32] << 2 | codes[j + 64] << 4 | codes[j + 96] << 6));
            }
        }
    }

    private static void unpackPairs(ByteBuffer in, int[] codes) {
        for (int i = 0; i < codes.length; i += 128) {
            for (int j = i; j < i + 32; j++) {
                int b = in.get();
                for (int k = 0; k < 4; k++) {
                    codes[j + 32 * k] = b >> 2 * k & 3;
                }
            }
        }
    }

    /// Five base-3 digits make a number below 243, which is stored as a fraction of 256, rounded up: multiplied by
    /// 3, what overflows the byte is its next digit. The last four bytes have four digits, and a fifth that is 0.
    private static void packTernary(int[] codes, ByteBuffer out) {
        int first = 0;
        for (int[] run : TERNARY_RUNS) {
            for (int i = 0; i < run[0]; i++) {
                int number = 0;
                for (int digit = 0; digit < 5; digit++) {
                    number = 3 * number + (digit < run[1] ? codes[first + digit * run[0] + i] : 0);
                }
                out.put((byte) ((number * 256 + 242) / 243));
            }
            first += run[0] * run[1];
        }
    }

    private static void unpackTernary(ByteBuffer in, int[] codes) {
        int first = 0;
        for (int[] run : TERNARY_RUNS) {
            for (int i = 0; i < run[0]; i++) {
                int fraction = Byte.toUnsignedInt(in.get());
                for (int digit = 0; digit < run[1]; digit++) {
                    codes[first + digit * run[0] + i] = fraction * 3 >> 8;
                    fraction = fraction * 3 & 255;
                }
            }
            first += run[0] * run[1];
        }
    }
}
