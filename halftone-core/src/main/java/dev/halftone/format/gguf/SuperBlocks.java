package dev.halftone.format.gguf;

import static dev.halftone.format.gguf.SimpleBlocks.half;
import static dev.halftone.format.gguf.SimpleBlocks.u8;

import dev.halftone.format.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Blocks of 256 weights whose scales are quantized themselves: a float16 for the block times a small integer for
/// each 16 or 32 weights.
///
/// Every value is computed in float32, one rounding an operation, in the order that gguf-py 0.19 `quants.py` has.
/// Codes are spread over the block so that one vector load serves several weights: weight `e` of a two-bit array
/// lies in byte `32 (e / 128) + e % 32`, at bit `2 (e / 32 % 4)`.
///
/// ```text
/// Q2_K    16 x (scale, min) of 4 bits, 64 bytes of codes, d, dmin               (d s) q - dmin m
/// Q3_K    32 bytes of third bits, 64 of codes, 16 scales of 6 bits, d           (d s) q
/// Q4_K    d, dmin, 8 x (scale, min) of 6 bits, 128 bytes of codes               (d s) q - dmin m
/// Q5_K    d, dmin, 8 x (scale, min) of 6 bits, 32 of fifth bits, 128 of codes   (d s) q - dmin m
/// Q6_K    128 bytes of low bits, 64 of high bits, 16 signed scales, d           (d s) (q - 32)
/// IQ4_XS  d, 8 scales of 6 bits, 128 bytes of codes                             (d s) table[q]
/// TQ1_0   48 + 4 bytes of five (four) base-3 digits each, d                     d (q - 1)
/// TQ2_0   64 bytes of codes, d                                                  d (q - 1)
/// ```
final class SuperBlocks {
    private static final int WEIGHTS = 256;
    private static final int[] POWERS_OF_3 = {1, 3, 9, 27, 81};

    private SuperBlocks() {}

    static void q2k(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at + 80);
        float dmin = half(data, at + 82);
        for (int e = 0; e < WEIGHTS; e++) {
            int scales = u8(data, at + e / 16);
            out[o + e] = d * (scales & 15) * twoBits(data, at + 16, e) - dmin * (scales >> 4);
        }
    }

    static void q3k(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at + 108);
        for (int e = 0; e < WEIGHTS; e++) {
            int j = e / 16;
            int low = u8(data, at + 96 + j % 8) >> (j < 8 ? 0 : 4) & 15;
            int high = u8(data, at + 104 + j % 4) >> 2 * (j / 4) & 3;
            int scale = (low | high << 4) - 32;
            // The third bit counts inverted: where it is 0, 4 is taken away.
            int q = twoBits(data, at + 32, e) - (bit(data, at, e) == 0 ? 4 : 0);
            out[o + e] = d * scale * q;
        }
    }

    static void q4k(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        float dmin = half(data, at + 2);
        for (int j = 0; j < WEIGHTS / 32; j++) {
            float scale = d * scale(data, at + 4, j);
            float min = dmin * min(data, at + 4, j);
            long from = at + 16 + 32L * (j / 2);
            for (int i = 0; i < 32; i++) {
                out[o + 32 * j + i] = scale * (u8(data, from + i) >> 4 * (j % 2) & 15) - min;
            }
        }
    }

    static void q5k(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        float dmin = half(data, at + 2);
        for (int j = 0; j < WEIGHTS / 32; j++) {
            float scale = d * scale(data, at + 4, j);
            float min = dmin * min(data, at + 4, j);
            long from = at + 48 + 32L * (j / 2);
            for (int i = 0; i < 32; i++) {
                int fifth = (u8(data, at + 16 + i) >> j & 1) << 4;
                out[o + 32 * j + i] = scale * (u8(data, from + i) >> 4 * (j % 2) & 15 | fifth) - min;
            }
        }
    }

    static void q6k(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at + 208);
        for (int j = 0; j < WEIGHTS / 16; j++) {
            float scale = d * data.get(ValueLayout.JAVA_BYTE, at + 192 + j);
            long lows = at + 64L * (j / 8) + 16L * (j % 4);
            long highs = at + 128 + 32L * (j / 8) + 16L * (j % 2);
            for (int i = 0; i < 16; i++) {
                int low = u8(data, lows + i) >> 4 * (j / 4 % 2) & 15;
                int high = (u8(data, highs + i) >> 2 * (j / 2 % 4) & 3) << 4;
                out[o + 16 * j + i] = scale * ((low | high) - 32);
            }
        }
    }

    static void iq4xs(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at);
        int highs = data.get(LittleEndian.SHORT, at + 2);
        for (int j = 0; j < 8; j++) {
            int low = u8(data, at + 4 + j / 2) >> 4 * (j % 2) & 15;
            int scale = (low | (highs >> 2 * j & 3) << 4) - 32;
            SimpleBlocks.looked(data, at + 8 + 16L * j, 16, d * scale, SimpleBlocks.IQ4_VALUES, out, o + 32 * j);
        }
    }

    static void tq1x0(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at + 52);
        int e = o;
        // Three runs of bytes, of which all first digits come first, then all second digits, and so on.
        for (int[] run : new int[][] {{0, 32, 5}, {32, 16, 5}, {48, 4, 4}}) {
            for (int digit = 0; digit < run[2]; digit++) {
                for (int i = 0; i < run[1]; i++) {
                    int shifted = u8(data, at + run[0] + i) * POWERS_OF_3[digit] & 255;
                    out[e++] = d * ((shifted * 3 >> 8) - 1);
                }
            }
        }
    }

    static void tq2x0(MemorySegment data, long at, float[] out, int o) {
        float d = half(data, at + 64);
        for (int e = 0; e < WEIGHTS; e++) {
            out[o + e] = d * (twoBits(data, at, e) - 1);
        }
    }

    private static int twoBits(MemorySegment data, long at, int e) {
        return u8(data, at + 32L * (e / 128) + e % 32) >> 2 * (e / 32 % 4) & 3;
    }

    private static int bit(MemorySegment data, long at, int e) {
        return u8(data, at + e % 32) >> e / 32 & 1;
    }

    /// Scale `j` of 8, of the 12 bytes that Q4_K and Q5_K keep scales and minimums in: six bits each, those of the
    /// last four split over two bytes.
    private static int scale(MemorySegment data, long at, int j) {
        return j < 4 ? u8(data, at + j) & 63 : u8(data, at + 4 + j) & 15 | u8(data, at + j - 4) >> 2 & 48;
    }

    private static int min(MemorySegment data, long at, int j) {
        return j < 4 ? u8(data, at + 4 + j) & 63 : u8(data, at + 4 + j) >> 4 | u8(data, at + j) >> 2 & 48;
    }
}
