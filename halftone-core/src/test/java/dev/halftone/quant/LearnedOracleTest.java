package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.quant.LearnedOracle.Gradients;
import dev.halftone.quant.LearnedOracle.Scales;
import java.util.Random;
import org.junit.jupiter.api.Test;

class LearnedOracleTest {
    private static final int GROUP = 32;

    /// Esser et al., equation 3 and section 2.2, in double.
    @Test
    void theGradientOfAScaleIsThatOfThePaper() {
        for (boolean lsq : new boolean[] {true, false}) {
            LearnedOracle oracle = grid(4, lsq).oracle();
            float[] x = normal(1, 4 * GROUP);
            float[] g = normal(2, 4 * GROUP);
            Scales given = oracle.start(x, GROUP);
            Gradients ours = oracle.gradients(x, g, GROUP, given, GradientRule.CLOSED);
            for (int b = 0; b < 4; b++) {
                double sum = 0;
                for (int i = b * GROUP; i < (b + 1) * GROUP; i++) {
                    double v = (double) x[i] / given.scales()[b];
                    boolean inside = Math.rint(v) >= -8 && Math.rint(v) <= 7;
                    sum += g[i] * (inside ? Math.rint(v) - v : v < 0 ? -8 : 7);
                    assertThat((double) ours.x()[i]).isCloseTo(inside ? g[i] : 0, within(1e-6));
                }
                double factor = lsq ? 1 / Math.sqrt(GROUP * 7) : 1;
                assertThat((double) ours.scales().scales()[b]).isCloseTo(sum * factor, within(1e-4));
            }
        }
    }

    @Test
    void scalesStartWhereTheirMethodSays() {
        float[] x = normal(3, GROUP);
        double mean = 0;
        for (float v : x) {
            mean += Math.abs(v) / GROUP;
        }
        assertThat((double) grid(4, true).oracle().start(x, GROUP).scales()[0])
                .isCloseTo(2 * mean / Math.sqrt(7), within(1e-6));
        IntxGrid codes = grid(4, false).codes();
        assertThat(grid(4, false).oracle().start(x, GROUP).scales()[0])
                .isEqualTo(IntxOracle.choose(x, 0, GROUP, codes).scale());
        for (boolean lsq : new boolean[] {true, false}) {
            assertThat(grid(4, lsq).oracle().start(new float[GROUP], GROUP).scales())
                    .containsExactly(LearnedOracle.EPS);
        }
    }

    @Test
    void aScaleThatTrainingPushedBelowZeroIsMendedByLsqAndUsedByTorchao() {
        float[] x = normal(4, GROUP);
        Scales negative = new Scales(new float[] {-0.1f}, null);
        LearnedOracle torchao = grid(4, false).oracle();
        float[] mirrored = torchao.fakeQuantize(x, GROUP, negative);
        assertThat(mirrored).isEqualTo(torchao.dequantize(torchao.quantize(x, GROUP, negative), GROUP));
        assertThat(mirrored).isNotEqualTo(new float[GROUP]);
        LearnedOracle lsq = grid(4, true).oracle();
        assertThat(lsq.quantize(x, GROUP, negative).scales()).containsExactly(LearnedOracle.EPS);
        assertThat(lsq.fakeQuantize(x, GROUP, negative))
                .isEqualTo(lsq.dequantize(lsq.quantize(x, GROUP, negative), GROUP));
    }

    /// Otherwise a scale whose clamped values pass theirs would never grow.
    @Test
    void underTheIdentityTheScaleStillSeesTheClamp() {
        LearnedOracle oracle = grid(4, true).oracle();
        float[] x = normal(5, GROUP);
        float[] g = normal(6, GROUP);
        Scales small = new Scales(new float[] {0.05f}, null);
        Gradients identity = oracle.gradients(x, g, GROUP, small, GradientRule.IDENTITY);
        Gradients closed = oracle.gradients(x, g, GROUP, small, GradientRule.CLOSED);
        assertThat(identity.x()).isEqualTo(g).isNotEqualTo(closed.x());
        assertThat(identity.scales().scales()).isEqualTo(closed.scales().scales());
    }

    @Test
    void whatCannotBeIsRefused() {
        IntxGrid halves = IntxGrid.weights(scheme(4, Numerics.TORCHAO), DType.BF16);
        assertThatThrownBy(() -> new LearnedGrid(halves, false)).isInstanceOf(IllegalArgumentException.class);
        IntxGrid tokens = IntxGrid.activations(Numerics.LSQ, DType.F32);
        assertThatThrownBy(() -> new LearnedGrid(tokens, true)).isInstanceOf(IllegalArgumentException.class);
    }

    private static LearnedGrid grid(int bits, boolean lsq) {
        return (LearnedGrid) scheme(bits, lsq ? Numerics.LSQ : Numerics.TORCHAO_RANGE_LEARNING)
                .weights(DType.F32);
    }

    private static IntxScheme scheme(int bits, Numerics numerics) {
        return new IntxScheme(bits, new Granularity.PerGroup(GROUP), false, numerics);
    }

    private static float[] normal(long seed, int n) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
