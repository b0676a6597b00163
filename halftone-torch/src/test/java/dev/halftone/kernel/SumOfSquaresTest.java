package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SumOfSquaresTest {
    /// Against a plain sum in double precision; the sizes fill no vector, no tile and no chunk to the end.
    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16", "F16"})
    void squaresAreSummed(DType dtype) {
        for (int n : new int[] {1, 15, 2047, 32_769, 300_001}) {
            try (Scope _ = Scope.open()) {
                Tensor t = random(n, dtype);
                double sum = 0;
                for (float v : Torch.floats(t)) {
                    sum += (double) v * v;
                }
                assertThat(SumOfSquares.of(t)).isCloseTo(sum, within(1e-6 * sum));
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void whatIsNoNumberOrInfiniteIsSeen(DType dtype) {
        try (Scope _ = Scope.open()) {
            Tensor t = random(5000, dtype);
            Ops.fill_(t.narrow(0, 4999, 1), Double.POSITIVE_INFINITY);
            assertThat(SumOfSquares.of(t)).isInfinite();
            Ops.fill_(t.narrow(0, 17, 1), Double.NaN);
            assertThat(SumOfSquares.of(t)).isNaN();
            assertThat(SumOfSquares.of(t.narrow(0, 0, 0))).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void aTransposedTensorCountsEachElementOnce(DType dtype) {
        try (Scope _ = Scope.open()) {
            Tensor t = random(6 * 700, dtype).view(6, 700);
            assertThat(SumOfSquares.of(t.t())).isCloseTo(SumOfSquares.of(t), within(1e-6 * SumOfSquares.of(t)));
        }
    }

    private static Tensor random(int n, DType dtype) {
        Random random = new Random(n);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Ops.to(Torch.of(values, n), dtype);
    }
}
