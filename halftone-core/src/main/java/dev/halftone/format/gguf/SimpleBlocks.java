package dev.halftone.format.gguf;

import dev.halftone.format.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Blocks with one scale (and one minimum) for all their weights.
///
/// Every value is computed in float32, one rounding an operation, in the order that gguf-py 0.19 `quants.py` has,
/// so that results are equal bit for bit. Scales `d` and minimums `m` are float16. Four-bit codes come in halves:
/// the low nibbles of all bytes are the block's first weights, the high nibbles its last.
///
/// ```text
/// Q4_0    d, 16 bytes of codes                    d (q - 8)
/// Q4_1    d, m, 16 bytes of codes                 d q + m
/// Q5_0    d, 32 fifth bits, 16 bytes of codes     d (q - 16)
/// Q5_1    d, m, 32 fifth bits, 16 bytes           d q + m
/// Q8_0    d, 32 signed bytes                      d q
/// IQ4_NL  d, 16 bytes of codes                    d table[q]
/// MXFP4   e8m0 scale, 16 bytes of e2m1            2^(e - 127) e2m1
/// NVFP4   4 e4m3 scales, 4 x 8 bytes of e2m1      scale e2m1
/// ```
final class SimpleBlocks {

    /// ggml's `kvalues_iq4nl`.
    static final int[] IQ4_VALUES = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    /// Twice the value of each e2m1 code; scales are halved to match.
    private static final int[] E2M1_DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

    private SimpleBlocks() {}

    static void f32(MemorySegment data, long at, float[] out, int o) {
        out[o] = data.get(LittleEndian.FLOAT, at);
    }

    static void f16(MemorySegment data, long at, float[] out, int o) {
        out[o] = half(data, at);
    }

    static void bf16(MemorySegment data, long at, float[] out, int o) {
        out[o] = Float.intBitsToFloat(data.get(LittleEndian.SHORT, at) << 16);
    }

    static void q4x0(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        for (int i = 0; i < 16; i++) {
            int b = u8(data, at + 2 + i);
            out[o + i] = d * ((b & 15) - 8);
            out[o + 16 + i] = d * ((b >> 4) - 8);
        }
    }

    static void q4x1(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        float m = half(data, at + 2);
        for (int i = 0; i < 16; i++) {
            int b = u8(data, at + 4 + i);
            out[o + i] = d * (b & 15) + m;
            out[o + 16 + i] = d * (b >> 4) + m;
        }
    }

    static void q5x0(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        int high = data.get(LittleEndian.INT, at + 2);
        for (int i = 0; i < 16; i++) {
            int b = u8(data, at + 6 + i);
            out[o + i] = d * (fifthBit(high, i) + (b & 15) - 16);
            out[o + 16 + i] = d * (fifthBit(high, i + 16) + (b >> 4) - 16);
        }
    }

    static void q5x1(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        float m = half(data, at + 2);
        int high = data.get(LittleEndian.INT, at + 4);
        for (int i = 0; i < 16; i++) {
            int b = u8(data, at + 8 + i);
            out[o + i] = d * (fifthBit(high, i) + (b & 15)) + m;
            out[o + 16 + i] = d * (fifthBit(high, i + 16) + (b >> 4)) + m;
        }
    }

    static void q8x0(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        for (int i = 0; i < 32; i++) {
            out[o + i] = data.get(ValueLayout.JAVA_BYTE, at + 2 + i) * d;
        }
    }

    static void iq4nl(MemorySegment data, long at, float[] out, int o) {
        looked(data, at + 2, 16, half(data, at), IQ4_VALUES, out, o);
    }

    static void mxfp4(MemorySegment data, long at, float[] out, int o) {
        // 2^(e - 128), whose two smallest are subnormal.
        int e = u8(data, at);
        float d = Float.intBitsToFloat(e < 2 ? 0x0020_0000 << e : (e - 1) << 23);
        looked(data, at + 1, 16, d, E2M1_DOUBLED, out, o);
    }

    static void nvfp4(MemorySegment data, long at, float[] out, int o) {
        for (int group = 0; group < 4; group++) {
            float d = halvedE4M3(u8(data, at + group));
            looked(data, at + 4 + 8L * group, 8, d, E2M1_DOUBLED, out, o + 16 * group);
        }
    }

    /// `bytes` bytes of four-bit codes, each standing for a value of a table.
    static void looked(MemorySegment data, long at, int bytes, float d, int[] table, float[] out, int o) {
        for (int i = 0; i < bytes; i++) {
            int b = u8(data, at + i);
            out[o + i] = d * table[b & 15];
            out[o + bytes + i] = d * table[b >> 4];
        }
    }

    /// Half of an unsigned e4m3 number. ggml reads its NaN, 0x7f, as 0 and ignores a sign.
    private static float halvedE4M3(int x) {
        int e = (x >> 3) & 15;
        int m = x & 7;
        if (x == 0x7f) {
            return 0;
        }
        return e == 0 ? m * 0x1p-10f : Math.scalb(8 + m, e - 11);
    }

    static float half(MemorySegment data, long at) {
        return Float.float16ToFloat(data.get(LittleEndian.SHORT, at));
    }

    static int u8(MemorySegment data, long at) {
        return Byte.toUnsignedInt(data.get(ValueLayout.JAVA_BYTE, at));
    }

    private static int fifthBit(int bits, int i) {
        return (bits >>> i & 1) << 4;
    }
}
