package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.quant.GoldenCases.Case;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class Int32PackingTest {
    static Stream<Case> rows() {
        return GoldenCases.read("09_compressed_tensors", "ct.pack_int32").stream()
                .filter(c -> c.params().get("packed_dim").asInt() == 1);
    }

    @ParameterizedTest
    @MethodSource("rows")
    void packsRowsAsCompressedTensors(Case c) {
        byte[] codes = bytes(c.get("codes"));
        int columns = (int) c.columns("codes");
        int bits = c.params().get("bits").asInt();
        int[] packed = Int32Packing.pack(codes, columns, bits);
        assertThat(packed).isEqualTo(c.ints("packed"));
        assertThat(Int32Packing.unpack(packed, columns, bits)).isEqualTo(codes);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void whatIsPackedIsUnpacked(int bits) {
        Random random = new Random(bits);
        for (int columns = 1; columns < 70; columns++) {
            byte[] codes = new byte[3 * columns];
            for (int i = 0; i < codes.length; i++) {
                codes[i] = (byte) (random.nextInt(1 << bits) - (1 << (bits - 1)));
            }
            int[] packed = Int32Packing.pack(codes, columns, bits);
            assertThat(packed).hasSize(3 * Int32Packing.wordsPerRow(columns, bits));
            assertThat(Int32Packing.unpack(packed, columns, bits)).isEqualTo(codes);
        }
    }

    private static byte[] bytes(float[] values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }
}
