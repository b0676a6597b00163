package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.quant.AmaxGrid.Formula;
import dev.halftone.quant.GoldenCases.Case;
import dev.halftone.quant.Oracle.Codes;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AmaxOracleTest {
    private static final Granularity ROW = new Granularity.PerAxis();
    private static final Granularity TENSOR = new Granularity.PerTensor();
    private static final float NO_BOUND = Float.POSITIVE_INFINITY;

    static List<Case> float8() {
        return GoldenCases.read("05_float8", "fp8.").stream()
                .filter(c -> c.name().startsWith("fp8."))
                .toList();
    }

    private static AmaxGrid grid(Case c, Formula formula) {
        Granularity granularity = c.name().contains("tensor") ? TENSOR : ROW;
        return AmaxGrid.float8(formula, c.dtype(), granularity)
                .bounded((float) c.params().path("hp_value_lb").asDouble(0), (float)
                        c.params().path("hp_value_ub").asDouble(NO_BOUND));
    }

    @ParameterizedTest
    @MethodSource("float8")
    void float8MatchesTorchaoToTheLetter(Case c) {
        Oracle oracle = grid(c, Formula.FLOAT8_TORCHAO).oracle();
        int columns = (int) c.columns("x");
        Codes q = oracle.quantize(c.get("x"), columns);
        if (c.has("codes")) {
            assertSame(unsigned(q.codes()), c.get("codes"));
            assertSame(q.scales(), c.get("scale"));
        }
        assertSame(oracle.fakeQuantize(c.get("x"), columns), c.get("x_fq"));
        assertSame(oracle.dequantize(q, columns), c.get("x_fq"));
    }

    @ParameterizedTest
    @MethodSource("float8")
    void theDefaultDiffersFromTorchaoInBlocksOfZerosOnly(Case c) {
        float[] x = c.get("x");
        int columns = (int) c.columns("x");
        float[] ours = grid(c, Formula.FLOAT8).oracle().fakeQuantize(x, columns);
        float[] theirs = c.get("x_fq");
        for (int i = 0; i < x.length; i++) {
            assertThat(ours[i]).isEqualTo(Float.isNaN(theirs[i]) ? x[i] * 0 : theirs[i]);
        }
    }

    @ParameterizedTest
    @MethodSource("float8")
    void gradientsThroughTheScaleAreTorchaos(Case c) {
        AmaxGrid grid = grid(c, Formula.FLOAT8_TORCHAO);
        assertClose(gradient(c, grid.withScaleGradient(true), GradientRule.OPEN), c, "grad_x");
        assertClose(gradient(c, grid.withScaleGradient(true), GradientRule.CLOSED), c, "grad_x_closed");
        assertClose(gradient(c, grid.withScaleGradient(false), GradientRule.OPEN), c, "grad_x_wide");
        assertClose(gradient(c, grid.withScaleGradient(false), GradientRule.CLOSED), c, "grad_x_wide_closed");
    }

    private static float[] gradient(Case c, AmaxGrid grid, GradientRule rule) {
        return grid.oracle().gradient(c.get("x"), c.get("upstream"), (int) c.columns("x"), rule);
    }

    /// Sums may be added up in another order.
    private static void assertClose(float[] ours, Case c, String role) {
        float[] theirs = c.get(role);
        int columns = (int) c.columns("x");
        double share = c.dtype() == DType.F32 ? 1e-5 : c.dtype() == DType.F16 ? 0x1p-10 : 0x1p-7;
        for (int row = 0; row < ours.length; row += columns) {
            double largest = 0;
            for (int i = row; i < row + columns; i++) {
                largest = Math.max(largest, Math.abs(theirs[i]));
            }
            for (int i = row; i < row + columns; i++) {
                boolean same = Float.compare(ours[i], theirs[i]) == 0
                        || Math.abs((double) ours[i] - theirs[i]) <= share * largest;
                assertThat(same)
                        .as("%s at %d: %s, not %s", role, i, ours[i], theirs[i])
                        .isTrue();
            }
        }
    }

    @Test
    void compressedTensorsFloat8IsItsOwn() {
        Case c = GoldenCases.read("09_compressed_tensors", "ct.fp8_dynamic").getFirst();
        int columns = (int) c.columns("w");
        AmaxGrid grid = AmaxGrid.float8(Formula.FLOAT8_COMPRESSED, c.dtype(), ROW);
        Codes q = grid.oracle().quantize(c.get("w"), columns);
        assertSame(unsigned(q.codes()), c.get("state.proj.weight"));
        assertSame(q.scales(), c.get("state.proj.weight_scale"));
        assertSame(grid.oracle().fakeQuantize(c.get("w"), columns), c.get("w_fq"));
        AmaxGrid torchao = AmaxGrid.float8(Formula.FLOAT8, c.dtype(), ROW);
        assertThat(torchao.oracle().fakeQuantize(c.get("w"), columns))
                .as("the quotient is rounded to bfloat16 first")
                .isNotEqualTo(c.get("w_fq"));
    }

    static List<Case> modelOpt() {
        return GoldenCases.read("07_modelopt", "modelopt.int8.").stream()
                .filter(c -> c.has("amax"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("modelOpt")
    void modelOptInt8MatchesAndItsScaleIsTheAmax(Case c) {
        Granularity granularity = c.name().contains("tensor") ? TENSOR : ROW;
        AmaxGrid grid = AmaxGrid.modelOpt(Element.Integers.of(8), c.dtype(), granularity);
        int columns = (int) c.columns("x");
        assertSame(grid.oracle().quantize(c.get("x"), columns).scales(), c.get("amax"));
        assertSame(grid.oracle().fakeQuantize(c.get("x"), columns), c.get("x_fq"));
    }

    @Test
    void aCalibratedRangeHoldsWhateverABlockHolds() {
        AmaxGrid numbers = AmaxGrid.modelOpt(Element.Integers.of(8).narrow(), DType.F32, TENSOR);
        StaticGrid grid = new StaticGrid(numbers, new InputScale(1.27f, 0));
        float[] x = {0.0149f, -5, 1.27f, Float.NaN};
        assertThat(grid.oracle().quantize(x, 4).codes()).containsExactly(1, -127, 127, 0);
        float[] up = {1, 1, 1, 1};
        assertThat(grid.oracle().gradient(x, up, 4, GradientRule.CLOSED)).containsExactly(1, 0, 1, 0);
        assertThat(grid.oracle().gradient(x, up, 4, GradientRule.OPEN)).containsExactly(1, 0, 0, 0);
        assertThat(grid.oracle().gradient(x, up, 4, GradientRule.IDENTITY)).containsExactly(1, 1, 1, 1);
    }

    @Test
    void aGradientThroughTheScaleGoesToTheLargestMagnitudes() {
        AmaxGrid grid = AmaxGrid.float8(Formula.FLOAT8, DType.F32, ROW).withScaleGradient(false);
        // The scale is 1, codes are 448, 448 and 17 -> 16: the scale's gradient is 448 - 448 + 16 - 17 = -1, where the
        // largest pass.
        float[] x = {448, -448, 17, 0};
        float[] up = {1, -1, 1, 1};
        float[] closed = grid.oracle().gradient(x, up, 4, GradientRule.CLOSED);
        assertThat(closed).containsExactly(1 - 1 / 896f, -1 + 1 / 896f, 1, 1);
        float[] open = grid.oracle().gradient(x, up, 4, GradientRule.OPEN);
        assertThat(open[0]).isEqualTo((896 - 1) / 896f);
        assertThat(grid.oracle().gradient(x, up, 4, GradientRule.IDENTITY)).containsExactly(up);
    }

    @Test
    void int4WeightsAreStoredAsTorchaoStoresThemAndTrainedAsWell() {
        Case c = GoldenCases.read("05_float8", "fp8_int4.w.g128.bf16").getFirst();
        int columns = (int) c.columns("w");
        Float8Int4Scheme stored = new Float8Int4Scheme(new Granularity.PerGroup(128), Numerics.TORCHAO);
        Float8Int4Scheme verbatim = new Float8Int4Scheme(new Granularity.PerGroup(128), Numerics.TORCHAO_VERBATIM);
        Oracle oracle = stored.weights(c.dtype()).oracle();
        Codes q = oracle.quantize(c.get("w"), columns);
        assertSame(floats(q.codes()), c.get("codes_plain"));
        assertSame(oracle.fakeQuantize(c.get("w"), columns), oracle.dequantize(q, columns));
        assertSame(verbatim.weights(c.dtype()).oracle().fakeQuantize(c.get("w"), columns), c.get("w_fq"));
    }

    @Test
    void oneNameNeverMeansTwoGrids() {
        List<QuantScheme> schemes = List.of(
                new Float8Scheme(ROW),
                new Float8Scheme(TENSOR),
                new Float8Scheme(ROW, 0, NO_BOUND, true, Numerics.TORCHAO),
                new Float8Scheme(ROW, 0.5f, NO_BOUND, false, Numerics.TORCHAO),
                new Float8Scheme(ROW, 0.5f, 2, false, Numerics.TORCHAO),
                new Float8Scheme(ROW, 0, NO_BOUND, false, Numerics.TORCHAO_VERBATIM),
                new Float8Scheme(ROW, 0, NO_BOUND, false, Numerics.COMPRESSED_TENSORS),
                new Float8Int4Scheme(new Granularity.PerGroup(128), Numerics.TORCHAO),
                new Float8Int4Scheme(new Granularity.PerGroup(128), Numerics.TORCHAO_VERBATIM));
        assertThat(schemes).extracting(QuantScheme::label).doesNotHaveDuplicates();
        assertThat(Arrays.stream(ModelOptScheme.Config.values()).map(c -> new ModelOptScheme(c).label()))
                .doesNotHaveDuplicates();
    }

    @Test
    void whatNoLibraryHasIsRefused() {
        assertThatThrownBy(() -> new Float8Scheme(new Granularity.PerGroup(32)))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("float8 has no groups");
        assertThatThrownBy(() -> new Float8Scheme(ROW, 2, 1, false, Numerics.TORCHAO))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("activation_value_lb");
        assertThatThrownBy(() -> new Float8Scheme(ROW, 0, NO_BOUND, true, Numerics.COMPRESSED_TENSORS))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("scale_gradient");
        assertThatThrownBy(() -> AmaxGrid.float8(Formula.FLOAT8_COMPRESSED, DType.F32, ROW)
                        .withScaleGradient(false))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new IntxScheme(4, TENSOR, false, Numerics.TORCHAO))
                .isInstanceOf(InputException.class);
    }

    private static float[] unsigned(byte[] codes) {
        float[] floats = new float[codes.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = Byte.toUnsignedInt(codes[i]);
        }
        return floats;
    }

    private static float[] floats(byte[] codes) {
        float[] floats = new float[codes.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = codes[i];
        }
        return floats;
    }

    /// Zeros are equal whatever their sign, and NaN equals NaN.
    private static void assertSame(float[] ours, float[] theirs) {
        assertThat(ours).hasSameSizeAs(theirs);
        for (int i = 0; i < ours.length; i++) {
            assertThat(ours[i] == theirs[i] || (Float.isNaN(ours[i]) && Float.isNaN(theirs[i])))
                    .as("at %d: %s, not %s", i, ours[i], theirs[i])
                    .isTrue();
        }
    }
}
