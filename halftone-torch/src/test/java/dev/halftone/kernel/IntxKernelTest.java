package dev.halftone.kernel;

import static dev.halftone.kernel.Agreement.assertSame;
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
            try (Scope _ = Scope.open()) {
                int blocks = 2 * (1 + random.nextInt(20));
                float[] values = IntxInputs.values(random, blocks, group, grid.dtype());
                Agreement.ofValues(grid, tensor(values, grid, 2, blocks / 2 * group));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeGradientsAndAutogradAgreeBitForBit(IntxGrid numbers) {
        Random random = new Random(numbers.hashCode());
        for (int group : new int[] {2, 12, 32, 97}) {
            IntxGrid grid = numbers.with(new Granularity.PerGroup(group));
            for (GradientRule rule : GradientRule.values()) {
                try (Scope _ = Scope.open()) {
                    Tensor x = tensor(IntxInputs.values(random, 20, group, grid.dtype()), grid, 4, 5 * group);
                    Tensor up = tensor(IntxInputs.values(random, 20, group, grid.dtype()), grid, 4, 5 * group);
                    Agreement.ofGradients(grid, x, up, rule);
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
            assertSame(kernel.dequantize(q), kernel.fakeQuantized(w), INT4);
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
                assertSame(Kernels.VECTOR.of(INT4).fakeQuantized(w), expected, INT4);
                assertSame(Kernels.ATEN.of(INT4).fakeQuantized(w), expected, INT4);
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
            assertSame(kernel.fakeQuantized(transposed), kernel.fakeQuantized(transposed.contiguous()), INT4);
            assertSame(
                    kernel.gradient(transposed, transposed, GradientRule.OPEN),
                    Kernels.REFERENCE.of(INT4).gradient(transposed, transposed, GradientRule.OPEN),
                    INT4);
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
}
