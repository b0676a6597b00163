package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CompressedIntOracleTest {
    private static final Granularity FOUR = new Granularity.PerGroup(4);
    private static final float[] ONES = {1, 1, 1, 1};

    static List<Case> weights() {
        return GoldenCases.read("13_int8_w8a8", "ct.int").stream()
                .filter(c -> c.has("codes"))
                .toList();
    }

    static List<Case> tokens() {
        return GoldenCases.read("13_int8_w8a8", "ct.int8_token");
    }

    @ParameterizedTest
    @MethodSource("weights")
    void weightsMatchCompressedTensors(Case c) {
        int columns = (int) c.columns("w");
        Oracle oracle = new CompressedIntScheme(
                        c.params().get("bits").asInt(),
                        new Granularity.PerGroup(c.params().get("group_size").asInt()),
                        c.params().get("symmetric").asBoolean(),
                        false)
                .weights(c.dtype())
                .oracle();
        Codes q = oracle.quantize(c.get("w"), columns);
        assertSame(floats(q.codes()), c.get("codes"));
        assertSame(q.scales(), c.get("scale"));
        float[] zeroPoints = q.zeroPoints();
        assertSame(zeroPoints == null ? new float[q.scales().length] : zeroPoints, c.get("zero_point"));
        assertSame(oracle.dequantize(q, columns), c.get("w_dq"));
        assertSame(oracle.fakeQuantize(c.get("w"), columns), c.get("w_fq"));
    }

    @ParameterizedTest
    @MethodSource("tokens")
    void tokensMatchCompressedTensors(Case c) {
        int columns = (int) c.columns("x");
        Oracle oracle = new CompressedIntGrid(8, true, c.dtype(), new Granularity.PerAxis()).oracle();
        assertSame(oracle.quantize(c.get("x"), columns).scales(), c.get("scale"));
        assertSame(oracle.fakeQuantize(c.get("x"), columns), c.get("x_fq"));
    }

    @Test
    void itClampsBeforeItRounds() {
        Oracle oracle = new CompressedIntGrid(4, true, DType.F32, FOUR).oracle();
        // Scale 1: the largest lies at 7.5, 7.2 rounds to 7 either way.
        float[] w = {7.5f, 7.2f, 7, -7.5f};
        assertThat(oracle.quantize(w, 4).codes()).containsExactly(7, 7, 7, -8);
        assertThat(oracle.gradient(w, ONES, 4, GradientRule.CLOSED)).containsExactly(0, 0, 1, 1);
        assertThat(oracle.gradient(w, ONES, 4, GradientRule.OPEN)).containsExactly(0, 0, 0, 1);
        assertThat(oracle.gradient(w, ONES, 4, GradientRule.IDENTITY)).containsExactly(1, 1, 1, 1);
    }

    @Test
    void zerosHaveTheScaleEpsAndAreExact() {
        for (boolean symmetric : new boolean[] {true, false}) {
            CompressedIntGrid grid = new CompressedIntGrid(4, symmetric, DType.BF16, FOUR);
            float[] zeros = {0, -0.0f, 0, -0.0f};
            Codes q = grid.oracle().quantize(zeros, 4);
            assertThat(q.scales()).containsExactly(0x1p-7f);
            assertThat(q.codes()).containsExactly(0, 0, 0, 0);
            assertThat(grid.oracle().fakeQuantize(zeros, 4)).containsExactly(0.0f, 0.0f, 0.0f, 0.0f);
        }
        assertThat(new CompressedIntGrid(4, true, DType.F16, FOUR).eps()).isEqualTo(0x1p-10f);
    }

    @Test
    void whatCannotBeIsRefused() {
        for (int bits : new int[] {1, 9}) {
            assertThatThrownBy(() -> new CompressedIntScheme(bits, FOUR, true, false))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("Use int2 to int8");
        }
    }

    private static void assertSame(float[] ours, float[] theirs) {
        assertThat(ours).hasSameSizeAs(theirs);
        for (int i = 0; i < ours.length; i++) {
            assertThat(ours[i] == theirs[i])
                    .as("at %d: %s, not %s", i, ours[i], theirs[i])
                    .isTrue();
        }
    }

    private static float[] floats(byte[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = values[i];
        }
        return floats;
    }
}
