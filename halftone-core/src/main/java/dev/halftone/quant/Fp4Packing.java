package dev.halftone.quant;

/// Two 4-bit codes a byte, the first of a pair in the low nibble: how torchao (`pack_uint4`), ModelOpt and
/// compressed-tensors (`pack_fp4_to_uint8`) store MXFP4 and NVFP4.
public final class Fp4Packing {
    private Fp4Packing() {}

    /// @param codes in row-major order, an even number a row; the low four bits count
    /// @return half as many bytes
    public static byte[] pack(byte[] codes) {
        byte[] packed = new byte[codes.length / 2];
        for (int i = 0; i < packed.length; i++) {
            packed[i] = (byte) (codes[2 * i] & 0xf | codes[2 * i + 1] << 4);
        }
        return packed;
    }

    /// The inverse of [#pack]: codes from 0 to 15.
    public static byte[] unpack(byte[] packed) {
        byte[] codes = new byte[2 * packed.length];
        for (int i = 0; i < packed.length; i++) {
            codes[2 * i] = (byte) (packed[i] & 0xf);
            codes[2 * i + 1] = (byte) (packed[i] >> 4 & 0xf);
        }
        return codes;
    }
}
