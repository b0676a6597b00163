package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.ProcessMemory;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PackedProductTest {
    @ParameterizedTest
    @CsvSource({"F32, true", "F32, false", "BF16, true", "BF16, false"})
    void valuesAndGradientsAreThoseOfAnOrdinaryProduct(DType dtype, boolean biased) {
        try (Scope _ = Scope.open()) {
            Tensor w_NK = random(dtype, 1, 48, 32);
            Tensor x = random(dtype, 2, 2, 5, 32).requires_grad_(true);
            Tensor bias_N = biased ? random(dtype, 3, 48).requires_grad_(true) : null;
            Tensor upstream = random(dtype, 4, 2, 5, 48);

            // A product of the input is what a layer inside a model sees.
            Tensor expected = Products.linear(Ops.mul(x, 2), w_NK, bias_N);
            Ops.backward(expected, upstream);
            Tensor gradient = x.grad().clone();
            Tensor biasGradient = bias_N == null ? null : bias_N.grad().clone();
            x.mutable_grad().reset();
            if (bias_N != null) {
                bias_N.mutable_grad().reset();
            }
            AtomicInteger made = new AtomicInteger();
            Tensor y = PackedProduct.linear(
                    Ops.mul(x, 2),
                    () -> {
                        made.incrementAndGet();
                        return w_NK.clone();
                    },
                    48,
                    bias_N);
            assertThat(y.equal(expected)).isTrue();
            assertThat(made).hasValue(1);
            Ops.backward(y, upstream);
            assertThat(made).as("once in each pass").hasValue(2);
            assertThat(x.grad().equal(gradient)).isTrue();
            if (bias_N != null && biasGradient != null) {
                assertThat(bias_N.grad().equal(biasGradient)).isTrue();
            }
        }
    }

    @Test
    void anOutputOfOneColumnDoesNotShareItsInputsMemory() {
        try (Scope _ = Scope.open()) {
            Tensor x = Torch.of(new float[] {3}, 1, 1).requires_grad_(true);
            Tensor y = PackedProduct.linear(x, () -> Torch.of(new float[] {2}, 1, 1), 1, null);
            Ops.backward(y, Torch.of(new float[] {1}, 1, 1));
            assertThat(Torch.floats(x)).containsExactly(3);
            assertThat(Torch.floats(y)).containsExactly(6);
            assertThat(Torch.floats(x.grad())).containsExactly(2);
        }
    }

    @Test
    void memoryStaysFlatOverManySteps() {
        try (Scope _ = Scope.open()) {
            Tensor w_NK = random(DType.F32, 1, 1024, 1024);
            Tensor x = random(DType.F32, 2, 8, 1024).requires_grad_(true);
            long before = 0;
            for (int step = 0; step < 50; step++) {
                try (Scope _ = Scope.open()) {
                    Tensor h = x;
                    for (int layer = 0; layer < 4; layer++) {
                        h = PackedProduct.linear(h, w_NK::clone, 1024, null);
                    }
                    Ops.backward(h, Ops.copy(h.detach()));
                    x.mutable_grad().reset();
                }
                before = step == 9 ? ProcessMemory.resident() : before;
            }
            // A leak of one matrix a step would be 160 MB.
            assertThat(ProcessMemory.resident() - before).isLessThan(40L << 20);
        }
    }

    private static Tensor random(DType dtype, int seed, long... shape) {
        try (NoGrad _ = NoGrad.open()) {
            java.util.SplittableRandom random = new java.util.SplittableRandom(seed);
            int n = (int) java.util.Arrays.stream(shape).reduce(1, (a, b) -> a * b);
            float[] values = new float[n];
            for (int i = 0; i < n; i++) {
                values[i] = random.nextFloat() * 2 - 1;
            }
            return Ops.to(Torch.of(values, shape), dtype);
        }
    }
}
