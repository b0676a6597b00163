package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class IntxOracleTest {
    static Stream<Case> weights() {
        return Stream.of(
                        GoldenCases.read("01_int8da_intx_weight", ".w."),
                        GoldenCases.read("02_8da4w_legacy", ".w."),
                        GoldenCases.read("04_intx_weight_only", "intx_wo.int"))
                .flatMap(cases -> cases.stream());
    }

    static Stream<Case> activations() {
        return Stream.of(GoldenCases.read("01_int8da_intx_weight", ".a."), GoldenCases.read("02_8da4w_legacy", ".a."))
                .flatMap(cases -> cases.stream());
    }

    private static Numerics numerics(Case c) {
        return c.name().startsWith("8da4w") ? Numerics.TORCHAO_LEGACY : Numerics.TORCHAO;
    }

    @ParameterizedTest
    @MethodSource("weights")
    void symmetricWeightsMatchTorchao(Case c) {
        int group = c.params().get("group_size").asInt();
        IntxScheme scheme =
                new IntxScheme(c.params().get("bits").asInt(), new Granularity.PerGroup(group), false, numerics(c));
        checkAll(c, "w", group, IntxGrid.weights(scheme, c.dtype()));
    }

    @ParameterizedTest
    @MethodSource("activations")
    void perTokenAsymmetricActivationsMatchTorchao(Case c) {
        checkAll(c, "x", (int) c.columns("x"), IntxGrid.activations(numerics(c), c.dtype()));
    }

    private static void checkAll(Case c, String x, int group, IntxGrid numbers) {
        IntxGrid grid = numbers.with(new Granularity.PerGroup(group));
        Codes q = grid.oracle().quantize(c.get(x), group);
        assertSame(floats(q.codes()), c.get("codes"));
        assertSame(q.scales(), c.get("scale"));
        float[] zeroPoints = q.zeroPoints();
        assertSame(zeroPoints == null ? new float[q.scales().length] : zeroPoints, c.get("zero_point"));
        float[] dequantized = grid.oracle().dequantize(q, group);
        if (c.has("w_dq")) {
            assertSame(dequantized, c.get("w_dq"));
        }
        if (c.has("upstream")) {
            float[] fq = c.get(x + "_fq");
            assertSame(dequantized, fq);
            assertSame(grid.oracle().fakeQuantize(c.get(x), group), fq);
            assertSame(gradient(c, x, group, grid, GradientRule.OPEN), c.get("grad_" + x));
            assertSame(gradient(c, x, group, grid, GradientRule.CLOSED), c.get("grad_" + x + "_closed"));
            assertSame(gradient(c, x, group, grid, GradientRule.IDENTITY), c.get("upstream"));
        }
    }

    private static float[] gradient(Case c, String x, int group, IntxGrid grid, GradientRule rule) {
        return grid.oracle().gradient(c.get(x), c.get("upstream"), group, rule);
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

    @Test
    void theLargestWeightOfAGroupIsTrainedOnlyUnderTheClosedRule() {
        IntxGrid int4 =
                IntxGrid.weights(new IntxScheme(4, new Granularity.PerGroup(4), false, Numerics.TORCHAO), DType.F32);
        // Scale 1: codes 7, 3, -7, -8. The largest lies at 7.5, which rounds to 8 and is clamped.
        float[] w = {7.5f, 3.2f, -7.1f, -7.5f};
        float[] up = {1, 1, 1, 1};
        assertThat(int4.oracle().gradient(w, up, 4, GradientRule.OPEN)).containsExactly(0, 1, 1, 0);
        assertThat(int4.oracle().gradient(w, up, 4, GradientRule.CLOSED)).containsExactly(0, 1, 1, 1);
        assertThat(int4.oracle().gradient(w, up, 4, GradientRule.IDENTITY)).containsExactly(1, 1, 1, 1);
    }

    @Test
    void zerosKeepTheSmallestScaleAndAreExact() {
        IntxGrid grid = IntxGrid.activations(Numerics.TORCHAO, DType.BF16);
        Codes q = grid.oracle().quantize(new float[] {0, -0.0f, 0, 0}, 4);
        assertThat(q.scales()).containsExactly(Float.MIN_NORMAL);
        assertThat(q.zeroPoints()).containsExactly(-128);
        assertThat(q.codes()).containsExactly(-128, -128, -128, -128);
        assertThat(grid.oracle().fakeQuantize(new float[] {-0.0f, 0}, 2)).containsExactly(0.0f, 0.0f);
    }

    @Test
    void aNaNSpoilsItsBlockOnlyAndHasTheCodeZero() {
        IntxGrid grid =
                IntxGrid.weights(new IntxScheme(8, new Granularity.PerGroup(2), false, Numerics.TORCHAO), DType.F32);
        float[] w = {Float.NaN, 1, 1, -1};
        assertThat(grid.oracle().quantize(w, 2).codes()).containsExactly(0, 0, 127, -127);
        assertThat(grid.oracle().fakeQuantize(w, 2)[1]).isNaN();
        assertThat(grid.oracle().fakeQuantize(w, 2)[3]).isEqualTo(-127 * (1 / 127.5f));
    }
}
