package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class Int4OracleTest {
    private static final Granularity FOUR = new Granularity.PerGroup(4);
    private static final float[] ONES = {1, 1, 1, 1};

    static List<Case> minimum() {
        return GoldenCases.read("03_int4_weight_only", "int4wo_v2.w.");
    }

    static List<Case> tinygemm() {
        return GoldenCases.read("03_int4_weight_only", "tinygemm.w.");
    }

    @ParameterizedTest
    @MethodSource("minimum")
    void whatIsTrainedIsWhatTorchaoStores(Case c) {
        int group = group(c);
        int rows = c.get("w").length / (int) c.columns("w");
        Oracle stored = new Int4Scheme(new Granularity.PerGroup(group), Numerics.FBGEMM, false)
                .weights(c.dtype())
                .oracle();
        Codes q = stored.quantize(c.get("w"), (int) c.columns("w"));
        assertSame(floats(q.codes()), c.get("codes"));
        assertSame(transposed(q.scales(), rows), c.get("scale"));
        assertSame(transposed(q.zeroPoints(), rows), c.get("zero"));
        assertSame(stored.dequantize(q, (int) c.columns("w")), c.get("w_dq"));
        assertSame(stored.fakeQuantize(c.get("w"), (int) c.columns("w")), c.get("w_dq"));
    }

    @ParameterizedTest
    @MethodSource("minimum")
    void theMirrorIsTorchaosTraining(Case c) {
        int columns = (int) c.columns("w");
        int rows = c.get("w").length / columns;
        Oracle training = new Int4Scheme(new Granularity.PerGroup(group(c)), Numerics.FBGEMM_TRAINING, true)
                .weights(c.dtype())
                .oracle();
        Codes q = training.quantize(c.get("w"), columns);
        assertSame(transposed(q.scales(), rows), c.get("scale_f32"));
        assertSame(transposed(q.zeroPoints(), rows), c.get("zero_f32"));
        assertSame(training.fakeQuantize(c.get("w"), columns), c.get("w_fq"));
        assertThat(gradient(training, c, GradientRule.IDENTITY)).isEqualTo(c.get("upstream"));
        for (GradientRule rule : List.of(GradientRule.OPEN, GradientRule.CLOSED)) {
            float[] ours = gradient(training, c, rule);
            float[] theirs = c.get(rule == GradientRule.OPEN ? "grad_w" : "grad_w_closed");
            double most = c.dtype() == DType.F32 ? 3e-5 : c.dtype() == DType.BF16 ? 0x1p-8 : 0x1p-11;
            for (int i = 0; i < ours.length; i++) {
                assertThat((double) ours[i])
                        .as("%s at %d", rule, i)
                        .isCloseTo(theirs[i], offset(most * Math.max(1, Math.abs(theirs[i]))));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("tinygemm")
    void tinygemmIsTorchaosOlderQuantizer(Case c) {
        int columns = (int) c.columns("w");
        Granularity groups = new Granularity.PerGroup(group(c));
        Oracle oracle = new Int4Scheme(groups, Numerics.TINYGEMM, false)
                .weights(c.dtype())
                .oracle();
        Codes q = oracle.quantize(c.get("w"), columns);
        assertSame(floats(q.codes()), c.get("codes"));
        assertSame(q.scales(), c.get("scale"));
        assertSame(q.zeroPoints(), c.get("zero_point"));
        assertSame(oracle.dequantize(q, columns), c.get("w_fq"));
        assertSame(oracle.fakeQuantize(c.get("w"), columns), c.get("w_fq"));
        assertSame(Int4Grid.tinygemm(DType.BF16, groups).oracle().dequantize(q, columns), c.get("w_dq"));
        assertSame(gradient(oracle, c, GradientRule.OPEN), c.get("grad_w"));
        assertSame(gradient(oracle, c, GradientRule.CLOSED), c.get("grad_w_closed"));
    }

    private static float[] gradient(Oracle oracle, Case c, GradientRule rule) {
        return oracle.gradient(c.get("w"), c.get("upstream"), (int) c.columns("w"), rule);
    }

    private static int group(Case c) {
        return c.params().get("group_size").asInt();
    }

    @Test
    void minimumAndMaximumAreLevels() {
        Oracle oracle = Int4Grid.minimum(DType.F32, DType.F32, FOUR, false).oracle();
        float[] w = {1, 16, 3.5f, 9.25f};
        Codes q = oracle.quantize(w, 4);
        assertThat(q.codes()).containsExactly(-8, 7, -6, 0);
        assertThat(q.scales()).containsExactly(1);
        assertThat(q.zeroPoints()).containsExactly(9);
        assertThat(oracle.dequantize(q, 4)).containsExactly(1, 16, 3, 9);
        assertThat(oracle.gradient(w, ONES, 4, GradientRule.CLOSED)).containsExactly(1, 1, 1, 1);
        assertThat(oracle.gradient(w, ONES, 4, GradientRule.OPEN)).containsExactly(0, 0, 1, 1);
    }

    @Test
    void aGroupOfOneValueKeepsIt() {
        for (Int4Grid grid :
                List.of(Int4Grid.minimum(DType.BF16, DType.BF16, FOUR, false), Int4Grid.tinygemm(DType.BF16, FOUR))) {
            float[] zeros = {0, -0.0f, 0, 0};
            assertThat(grid.oracle().fakeQuantize(zeros, 4)).containsExactly(0, 0, 0, 0);
            float[] same = {0.75f, 0.75f, 0.75f, 0.75f};
            assertThat(grid.oracle().fakeQuantize(same, 4)).containsExactly(same);
        }
    }

    @Test
    void tiesOfTheMaximumShareItsGradient() {
        Oracle oracle = Int4Grid.minimum(DType.F32, DType.F32, FOUR, true).oracle();
        float[] w = {0, 15, 15, 7};
        // Every value is a level, so that nothing flows into the scale.
        assertThat(oracle.gradient(w, ONES, 4, GradientRule.CLOSED)).containsExactly(1, 1, 1, 1);
        // What the bounds stop comes back through minimum and maximum.
        float[] open = oracle.gradient(w, ONES, 4, GradientRule.OPEN);
        assertThat(open).containsExactly(1, 1, 1, 1);
        float[] up = {0, 1, 0, 0};
        assertThat(oracle.gradient(w, up, 4, GradientRule.OPEN)).containsExactly(0, 0.5f, 0.5f, 0);
    }

    @Test
    void whatIsNoNumberSpoilsItsGroupOnly() {
        for (Int4Grid grid : List.of(
                Int4Grid.minimum(DType.F32, DType.F32, FOUR, false),
                Int4Grid.tinygemm(DType.F32, FOUR),
                Int4Grid.magnitude(DType.F32, FOUR))) {
            for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
                float[] y = grid.oracle().fakeQuantize(new float[] {1, bad, 2, 3, 1, 2, 3, 4}, 8);
                for (int i = 0; i < 8; i++) {
                    assertThat(Float.isNaN(y[i])).isEqualTo(i < 4);
                }
            }
        }
    }

    @Test
    void whatCannotBeIsRefused() {
        assertThatThrownBy(() -> new Int4Scheme(FOUR, Numerics.TINYGEMM, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("scale_gradient");
        assertThatThrownBy(() -> new Int4Scheme(FOUR, Numerics.TORCHAO, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has none of torchao");
        assertThatThrownBy(() -> new IntxScheme(4, FOUR, false, Numerics.FBGEMM))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("has none of fbgemm");
        assertThatThrownBy(() -> new Int4Grid(Int4Grid.Rule.MAGNITUDE, DType.F32, DType.F32, 1e-6f, FOUR, true))
                .isInstanceOf(IllegalArgumentException.class);
    }

    /// `[N, G]` as `[G, N]`.
    private static float[] transposed(float[] values, int rows) {
        float[] out = new float[values.length];
        int columns = values.length / rows;
        for (int i = 0; i < values.length; i++) {
            out[i % columns * rows + i / columns] = values[i];
        }
        return out;
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
