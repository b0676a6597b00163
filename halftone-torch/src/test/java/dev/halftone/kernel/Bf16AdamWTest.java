package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class Bf16AdamWTest {
    /// More than one chunk, and a rest that fills no vector.
    private static final int N = (1 << 16) + 13;

    /// Against libtorch's own operators. β1 of 0.4 takes the other end of its `lerp`.
    @ParameterizedTest
    @CsvSource({"0.9, 0.999, 1e-8, 1e-4", "0.4, 0.95, 1e-3, 0.1"})
    void theKernelEqualsTheSequenceOfOperatorsBitForBit(double beta1, double beta2, double eps, double lr) {
        try (Scope _ = Scope.open()) {
            List<Tensor> kernel = state();
            List<Tensor> sequence = state();
            for (int t = 1; t <= 4; t++) {
                Tensor g = random(t + 10, 1e-2);
                var c = new Bf16AdamW.Coefficients(
                        t == 1 ? 1 : 0.37f,
                        1 - lr * 0.01,
                        1 - beta1,
                        beta2,
                        1 - beta2,
                        Math.sqrt(1 - Math.pow(beta2, t)),
                        eps,
                        lr / (1 - Math.pow(beta1, t)));
                Bf16AdamW.update(kernel.get(0), g, kernel.get(1), kernel.get(2), c);
                Bf16AdamW.aten(sequence.get(0), g, sequence.get(1), sequence.get(2), c);
                for (int i = 0; i < 3; i++) {
                    assertThat(Torch.floats(kernel.get(i))).containsExactly(Torch.floats(sequence.get(i)));
                }
            }
        }
    }

    private static List<Tensor> state() {
        return List.of(random(1, 0.05), random(2, 1e-2), random(3, 1e-2).square());
    }

    /// Normal values of many magnitudes, and every twentieth of them special.
    private static Tensor random(long seed, double scale) {
        Random random = new Random(seed);
        float[] special = {0, -0f, 1e-38f, 1e-41f, 3e38f, Float.POSITIVE_INFINITY, Float.NaN};
        float[] values = new float[N];
        for (int i = 0; i < N; i++) {
            values[i] = random.nextInt(20) == 0
                    ? special[random.nextInt(special.length)]
                    : (float) (scale * random.nextGaussian() * Math.pow(10, random.nextInt(5) - 2));
        }
        return Ops.to(Torch.of(values, N), DType.BF16);
    }
}
