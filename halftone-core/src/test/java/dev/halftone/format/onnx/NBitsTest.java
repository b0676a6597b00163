package dev.halftone.format.onnx;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NBitsTest {
    /// The layout that onnxruntime's `MatMulNBits` documents: the first code in the lowest bits.
    @Test
    void theFirstCodeIsInTheLowestBits() {
        assertThat(new NBits(4, 16).pack(new byte[] {-8, 7, 0})).containsExactly(0xF0, 0x08);
        assertThat(new NBits(2, 16).pack(new byte[] {-2, -1, 0, 1})).containsExactly(0b11100100);
        assertThat(new NBits(8, 16).pack(new byte[] {-128, 0, 127})).containsExactly(0, 0x80, 0xFF);
    }

    @ParameterizedTest
    @CsvSource({"2", "4", "8"})
    void codesComeBack(int bits) {
        NBits layout = new NBits(bits, 16);
        byte[] codes = new byte[37];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = (byte) (i * 31 % (2 * layout.middle()) - layout.middle());
        }
        assertThat(layout.unpack(layout.pack(codes), codes.length)).isEqualTo(codes);
    }

    /// @param block 0 where codes are not packed
    @ParameterizedTest
    @CsvSource({
        "1, 32, 64, 2, 32",
        "2, 16, 64, 2, 16",
        "3, 64, 64, 4, 64",
        "4, 96, 192, 4, 32",
        "4, 512, 1024, 4, 256",
        "5, 32, 64, 8, 32",
        "4, channel, 576, 4, 64",
        "8, channel, 1536, 8, 256",
        "4, 8, 64, 4, 0",
        "8, 24, 48, 8, 0",
        "4, channel, 250, 4, 0",
    })
    void groupsAreCutIntoBlocksOfAPowerOfTwo(int bits, String group, int columns, int stored, int block) {
        IntxScheme scheme = new IntxScheme(bits, Granularity.parse(group), false, Numerics.TORCHAO);
        NBits expected = block == 0 ? null : new NBits(stored, block);
        assertThat(NBits.of(scheme.weights(DType.F32), columns).orElse(null)).isEqualTo(expected);
    }
}
