package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

class IntxKernelTest {
    private static final List<Kernels> OTHERS = List.of(Kernels.VECTOR, Kernels.ATEN);
    private static final IntxGrid INT4 =
            IntxGrid.weights(new IntxScheme(4, new Granularity.PerGroup(32), false, Numerics.TORCHAO), DType.BF16);

    static List<IntxGrid> grids() {
        return IntxInputs.grids();
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeImplementationsAgreeBitForBit(IntxGrid numbers) {
        Random random = new Random(numbers.hashCode());
        for (int group : new int[] {2, 3, 12, 16, 31, 32, 33, 48, 64, 97, 128}) {
            IntxGrid grid = numbers.with(new Granularity.PerGroup(group));
            GridKernel reference = Kernels.REFERENCE.of(grid);
            try (Scope _ = Scope.open()) {
                int blocks = 2 * (1 + random.nextInt(20));
                Tensor x = tensor(IntxInputs.values(random, blocks, group, grid.dtype()), grid, 2, blocks / 2 * group);
                Quantized q = reference.quantize(x);
                Tensor fq = reference.fakeQuantized(x);
                Tensor dq = reference.dequantize(q);
                for (Kernels kernels : OTHERS) {
                    GridKernel kernel = kernels.of(grid);
                    Quantized other = kernel.quantize(x);
                    assertSame(other.codes(), q.codes());
                    assertSame(other.scale(), q.scale());
                    if (q.zeroPoint() != null) {
                        assertSame(other.zeroPoint(), q.zeroPoint());
                    }
                    assertSame(kernel.dequantize(q), dq);
                    assertSame(kernel.fakeQuantized(x), fq);
                    Tensor inPlace = Ops.copy(x);
                    kernel.fakeQuantize(inPlace, inPlace);
                    assertSame(inPlace, fq);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeGradientsAndAutogradAgreeBitForBit(IntxGrid numbers) {
        Random random = new Random(numbers.hashCode());
        for (int group : new int[] {2, 12, 32, 97}) {
            IntxGrid grid = numbers.with(new Granularity.PerGroup(group));
            GridKernel reference = Kernels.REFERENCE.of(grid);
            for (GradientRule rule : GradientRule.values()) {
                try (Scope _ = Scope.open()) {
                    Tensor x = tensor(IntxInputs.values(random, 20, group, grid.dtype()), grid, 4, 5 * group);
                    Tensor up = tensor(IntxInputs.values(random, 20, group, grid.dtype()), grid, 4, 5 * group);
                    Tensor expected = reference.gradient(x, up, rule);
                    for (Kernels kernels : OTHERS) {
                        GridKernel kernel = kernels.of(grid);
                        assertSame(kernel.gradient(x, up, rule), expected);
                    }
                    for (Kernels kernels : Kernels.values()) {
                        Tensor leaf = Ops.copy(x).requires_grad_(true);
                        Tensor y = StraightThrough.fakeQuantize(leaf, rule, kernels.of(grid));
                        assertSame(y, reference.fakeQuantized(x));
                        Ops.backward(y, up);
                        assertSame(leaf.grad(), expected);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void quantizedValuesAreFixedPointsOfTheirOwnCodes(Kernels kernels) {
        try (Scope _ = Scope.open()) {
            GridKernel kernel = kernels.of(INT4);
            Tensor w = tensor(IntxInputs.values(new Random(1), 6, 32, DType.BF16), INT4, 2, 96);
            Quantized q = kernel.quantize(w);
            assertSame(kernel.dequantize(q), kernel.fakeQuantized(w));
            assertThat(Torch.dtype(q.codes())).isEqualTo(DType.I8);
            assertThat(Torch.dtype(q.scale())).isEqualTo(DType.BF16);
            assertThat(Torch.shape(q.scale())).containsExactly(2, 3);
            assertThat(q.zeroPoint()).isNull();
        }
    }

    @Test
    void theNumberOfThreadsDoesNotChangeABit() {
        int threads = Torch.threads();
        try (Scope _ = Scope.open()) {
            Tensor w = tensor(IntxInputs.values(new Random(2), 8001, 32, DType.BF16), INT4, 8001, 32);
            Tensor expected = Kernels.REFERENCE.of(INT4).fakeQuantized(w);
            for (int n : new int[] {1, 2, 3, 7}) {
                Torch.setThreads(n);
                assertSame(Kernels.VECTOR.of(INT4).fakeQuantized(w), expected);
                assertSame(Kernels.ATEN.of(INT4).fakeQuantized(w), expected);
            }
        } finally {
            Torch.setThreads(threads);
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void transposedAndEmptyInputsWork(Kernels kernels) {
        try (Scope _ = Scope.open()) {
            GridKernel kernel = kernels.of(INT4);
            Tensor w = tensor(IntxInputs.values(new Random(3), 32, 32, DType.BF16), INT4, 32, 32);
            Tensor transposed = w.transpose(0, 1);
            assertSame(kernel.fakeQuantized(transposed), kernel.fakeQuantized(transposed.contiguous()));
            assertSame(
                    kernel.gradient(transposed, transposed, GradientRule.OPEN),
                    Kernels.REFERENCE.of(INT4).gradient(transposed, transposed, GradientRule.OPEN));
            Tensor none = kernel.fakeQuantized(Torch.empty(DType.BF16, 0, 32));
            assertThat(Torch.shape(none)).containsExactly(0, 32);
        }
    }

    @Test
    void wrongBlocksAreRefused() {
        try (Scope _ = Scope.open()) {
            Tensor w = Torch.zeros(DType.BF16, 2, 48);
            Tensor f = Torch.zeros(DType.F32, 2, 64);
            for (Kernels kernels : Kernels.values()) {
                assertThatThrownBy(() -> kernels.of(INT4).quantize(w)).isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> kernels.of(INT4).fakeQuantized(f))
                        .isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    @Test
    void theVectorKernelIsChosenOnACpu() {
        try (Scope _ = Scope.open()) {
            assertThat(Kernels.choose(Torch.zeros(DType.F32, 1)).kernels()).isEqualTo(Kernels.VECTOR);
        }
    }

    private static Tensor tensor(float[] values, IntxGrid grid, long... shape) {
        return Ops.to(Torch.of(values, shape), grid.dtype());
    }

    /// The same bits; every NaN is the same.
    private static void assertSame(Tensor actual, Tensor expected) {
        assertThat(Torch.dtype(actual)).isEqualTo(Torch.dtype(expected));
        assertThat(Torch.shape(actual)).isEqualTo(Torch.shape(expected));
        float[] a = Torch.floats(actual);
        float[] e = Torch.floats(expected);
        for (int i = 0; i < e.length; i++) {
            assertThat(Float.floatToIntBits(a[i]))
                    .as("at %d: %s, not %s", i, a[i], e[i])
                    .isEqualTo(Float.floatToIntBits(e[i]));
        }
    }
}
