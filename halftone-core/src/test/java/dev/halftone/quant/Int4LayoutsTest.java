package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.quant.GoldenCases.Case;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class Int4LayoutsTest {
    static List<Case> tiles() {
        return GoldenCases.read("10_torchao_layouts", "layout.tile_pack.");
    }

    @ParameterizedTest
    @MethodSource("tiles")
    void tilesMatchAten(Case c) {
        int columns = (int) c.columns("codes");
        int inner = c.params().get("inner_k_tiles").asInt();
        byte[] codes = bytes(c.get("codes"));
        int[] packed = Int4Layouts.packTiles(codes, columns, inner);
        assertThat(packed).isEqualTo(c.ints("packed"));
        assertThat(Int4Layouts.unpackTiles(packed, columns, inner)).isEqualTo(codes);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8})
    void severalTilesComeBack(int inner) {
        int columns = 3 * 16 * inner;
        byte[] codes = random(24 * columns, 0);
        int[] packed = Int4Layouts.packTiles(codes, columns, inner);
        assertThat(packed).hasSize(3 * columns);
        assertThat(Int4Layouts.unpackTiles(packed, columns, inner)).isEqualTo(codes);
    }

    @Test
    void neighboursShareAByte() {
        byte[] codes = {-8, 7, 0, -1, 3, 4};
        byte[] packed = Int4Layouts.packPlain(codes);
        assertThat(packed).containsExactly(0x78, 0xf0, 0x43);
        assertThat(Int4Layouts.unpackPlain(packed)).isEqualTo(codes);
        byte[] many = random(1000, -8);
        assertThat(Int4Layouts.unpackPlain(Int4Layouts.packPlain(many))).isEqualTo(many);
    }

    @Test
    void plainCodesMatchTorchao() {
        for (Case c : GoldenCases.read("03_int4_weight_only", "int4wo_v2.w.")) {
            byte[] packed = bytes(c.get("packed"));
            assertThat(Int4Layouts.packPlain(bytes(c.get("codes")))).isEqualTo(packed);
            assertThat(Int4Layouts.unpackPlain(packed)).isEqualTo(bytes(c.get("codes")));
        }
    }

    @Test
    void rowsShareABytePairwise() {
        byte[] codes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
        assertThat(Int4Layouts.packRowPairs(codes, 3)).containsExactly(0x41, 0xa7, 0x52, 0xb8, 0x63, 0xc9);
    }

    private static byte[] random(int n, int lowest) {
        Random random = new Random(n);
        byte[] codes = new byte[n];
        for (int i = 0; i < n; i++) {
            codes[i] = (byte) (random.nextInt(16) + lowest);
        }
        return codes;
    }

    private static byte[] bytes(float[] values) {
        byte[] bytes = new byte[values.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) values[i];
        }
        return bytes;
    }
}
