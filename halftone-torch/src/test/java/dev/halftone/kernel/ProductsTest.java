package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;

class ProductsTest {
    /// Two orders of summation may round to neighbours, which are 2^-8 of a value apart.
    private static final double NEIGHBOUR = 0x1p-7;

    @Test
    void aWidenedProductIsABfloat16ProductInBothPasses() {
        try (Scope _ = Scope.open()) {
            Tensor w = random(1, 24, 80);
            Tensor bias = random(2, 24);
            Tensor up = random(3, 2, 7, 24);
            assertClose(
                    gradients(x -> Ops.linear(x, w, bias), random(4, 2, 7, 80), up),
                    gradients(x -> Products.widenedLinear(x, w, bias), random(4, 2, 7, 80), up));
            Tensor b = random(5, 2, 80, 24);
            assertClose(
                    gradients(x -> x.matmul(b), random(4, 2, 7, 80), up),
                    gradients(x -> Products.widenedMatmul(x, b), random(4, 2, 7, 80), up));
        }
    }

    @Test
    void otherDtypesGoStraightThrough() {
        try (Scope _ = Scope.open()) {
            Tensor x = Ops.to(random(1, 3, 8), DType.F32);
            Tensor w = Ops.to(random(2, 5, 8), DType.F32);
            assertThat(Torch.floats(Products.linear(x, w, null))).isEqualTo(Torch.floats(Ops.linear(x, w, null)));
            assertThat(Torch.dtype(Products.linear(random(1, 3, 8), random(2, 5, 8), null)))
                    .isEqualTo(DType.BF16);
        }
    }

    /// The product, and the gradient of its factor.
    private static List<Tensor> gradients(UnaryOperator<Tensor> product, Tensor x, Tensor up) {
        Tensor leaf = x.requires_grad_(true);
        Tensor y = product.apply(leaf);
        Ops.backward(y, up);
        return List.of(y, leaf.grad());
    }

    private static void assertClose(List<Tensor> expected, List<Tensor> actual) {
        for (int t = 0; t < expected.size(); t++) {
            assertThat(Torch.dtype(actual.get(t))).isEqualTo(DType.BF16);
            float[] e = Torch.floats(expected.get(t));
            float[] a = Torch.floats(actual.get(t));
            for (int i = 0; i < e.length; i++) {
                assertThat((double) a[i]).isCloseTo(e[i], within(NEIGHBOUR * Math.max(1e-2, Math.abs(e[i]))));
            }
        }
    }

    private static Tensor random(int seed, long... shape) {
        Random random = new Random(seed);
        int count = 1;
        for (long n : shape) {
            count *= (int) n;
        }
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Ops.to(Torch.of(values, shape), DType.BF16);
    }
}
