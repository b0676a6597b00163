package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class StochasticAdamWTest {
    /// More than one chunk, and a rest that fills no vector.
    private static final int N = (1 << 17) + 13;

    private static final StochasticAdamW.Coefficients STEP =
            new StochasticAdamW.Coefficients(0.9999f, 0.1f, 0.999f, 0.001f, 1.7f, 1e-8f, 1e-3f);

    @Test
    void vectorAndAtenEqualTheScalarFormulaBitForBit() {
        try (Scope _ = Scope.open()) {
            List<Tensor> scalar = state();
            List<Tensor> vector = state();
            List<Tensor> aten = state();
            for (long step = 1; step <= 3; step++) {
                Tensor g = random(step + 10, 1e-2, false);
                long key = StochasticAdamW.key(42, step, 3);
                StochasticAdamW.scalar(
                        Torch.memory(scalar.get(0)),
                        Torch.memory(g),
                        Torch.memory(scalar.get(1)),
                        Torch.memory(scalar.get(2)),
                        STEP,
                        key,
                        0,
                        N);
                StochasticAdamW.update(vector.get(0), g, vector.get(1), vector.get(2), STEP, key);
                StochasticAdamW.aten(aten.get(0), g, aten.get(1), aten.get(2), STEP, key);
            }
            for (int i = 0; i < 3; i++) {
                assertThat(Torch.floats(vector.get(i))).containsExactly(Torch.floats(scalar.get(i)));
                assertThat(Torch.floats(aten.get(i))).containsExactly(Torch.floats(scalar.get(i)));
            }
        }
    }

    @Test
    void weightsAreRoundedWithoutBiasAndDifferentlyInEachStepAndParameter() {
        try (Scope _ = Scope.open()) {
            // 1 + 1/4 of a unit in the last place above 1.
            float quarter = 1 + 0x1p-9f;
            var untouched = new StochasticAdamW.Coefficients(quarter, 0, 1, 0, 1, 1, 0);
            List<float[]> results = Stream.of(
                            StochasticAdamW.key(1, 1, 0), StochasticAdamW.key(1, 2, 0), StochasticAdamW.key(1, 1, 1))
                    .map(key -> {
                        Tensor p = Ops.fill_(Torch.empty(DType.BF16, N), 1);
                        Tensor zero = Torch.zeros(DType.BF16, N);
                        StochasticAdamW.update(p, zero, zero.clone(), zero.clone(), untouched, key);
                        return Torch.floats(p);
                    })
                    .toList();
            for (float[] result : results) {
                double up = 0;
                for (float v : result) {
                    assertThat(v).isIn(1f, 1 + 0x1p-7f);
                    up += v > 1 ? 1 : 0;
                }
                assertThat(up / N).isCloseTo(0.25, within(0.01));
            }
            assertThat(results.get(0)).isNotEqualTo(results.get(1));
            assertThat(results.get(0)).isNotEqualTo(results.get(2));
        }
    }

    private static List<Tensor> state() {
        return List.of(random(1, 0.05, false), random(2, 1e-2, false), random(3, 1e-4, true));
    }

    private static Tensor random(long seed, double scale, boolean positive) {
        Random random = new Random(seed);
        float[] values = new float[N];
        for (int i = 0; i < N; i++) {
            double v = scale * random.nextGaussian();
            values[i] = (float) (positive ? Math.abs(v) : v);
        }
        return Ops.to(Torch.of(values, N), DType.BF16);
    }
}
