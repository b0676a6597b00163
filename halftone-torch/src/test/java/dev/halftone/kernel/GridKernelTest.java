package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.IntxGrid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GridKernelTest {
    private static final List<Kernels> OTHERS = List.of(Kernels.VECTOR, Kernels.ATEN);
    private static final Grid INT4 = Int4Grid.minimum(DType.BF16, DType.BF16, new Granularity.PerGroup(32), true);

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 12, 16, 31, 32, 33, 64, 97, 128})
    void theThreeImplementationsAgreeBitForBit(int group) {
        Random random = new Random(group);
        for (Grid grid : GridInputs.grids(new Granularity.PerGroup(group))) {
            GridKernel reference = Kernels.REFERENCE.of(grid);
            try (Scope _ = Scope.open()) {
                int blocks = 2 * (1 + random.nextInt(20));
                Tensor x = tensor(random, grid, blocks, group, 2, blocks / 2 * group);
                Quantized q = reference.quantize(x);
                Tensor fq = reference.fakeQuantized(x);
                Tensor dq = reference.dequantize(q);
                // An infinity has no code under intN, so there its value is lost.
                if (!(grid instanceof IntxGrid)) {
                    assertSame(dq, fq, grid);
                }
                for (Kernels kernels : OTHERS) {
                    GridKernel kernel = kernels.of(grid);
                    Quantized other = kernel.quantize(x);
                    assertSame(other.codes(), q.codes(), grid);
                    assertSame(other.scale(), q.scale(), grid);
                    assertThat(other.zeroPoint() == null).isEqualTo(q.zeroPoint() == null);
                    assertSame(other.zeroPoint(), q.zeroPoint(), grid);
                    assertSame(kernel.dequantize(q), dq, grid);
                    assertSame(kernel.fakeQuantized(x), fq, grid);
                    Tensor inPlace = Ops.copy(x);
                    kernel.fakeQuantize(inPlace, inPlace);
                    assertSame(inPlace, fq, grid);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 12, 32, 97})
    void theThreeGradientsAndAutogradAgreeBitForBit(int group) {
        Random random = new Random(group);
        for (Grid grid : GridInputs.grids(new Granularity.PerGroup(group))) {
            GridKernel reference = Kernels.REFERENCE.of(grid);
            for (GradientRule rule : GradientRule.values()) {
                try (Scope _ = Scope.open()) {
                    Tensor x = tensor(random, grid, 20, group, 4, 5 * group);
                    Tensor up = tensor(random, grid, 20, group, 4, 5 * group);
                    Tensor expected = reference.gradient(x, up, rule);
                    for (Kernels kernels : OTHERS) {
                        assertSame(kernels.of(grid).gradient(x, up, rule), expected, grid);
                    }
                    for (Kernels kernels : Kernels.values()) {
                        Tensor leaf = Ops.copy(x).requires_grad_(true);
                        Tensor y = StraightThrough.fakeQuantize(leaf, rule, kernels.of(grid));
                        assertSame(y, reference.fakeQuantized(x), grid);
                        Ops.backward(y, up);
                        assertSame(leaf.grad(), expected, grid);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void transposedAndEmptyInputsWork(Kernels kernels) {
        for (Grid grid : GridInputs.grids(new Granularity.PerGroup(32))) {
            try (Scope _ = Scope.open()) {
                GridKernel kernel = kernels.of(grid);
                Tensor transposed = tensor(new Random(3), grid, 32, 32, 32, 32).transpose(0, 1);
                assertSame(kernel.fakeQuantized(transposed), kernel.fakeQuantized(transposed.contiguous()), grid);
                assertSame(
                        kernel.gradient(transposed, transposed, GradientRule.OPEN),
                        Kernels.REFERENCE.of(grid).gradient(transposed, transposed, GradientRule.OPEN),
                        grid);
                Tensor none = kernel.fakeQuantized(Torch.empty(grid.dtype(), 0, 32));
                assertThat(Torch.shape(none)).containsExactly(0, 32);
            }
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

    private static Tensor tensor(Random random, Grid grid, int blocks, int group, long... shape) {
        return Ops.to(Torch.of(IntxInputs.values(random, blocks, group, grid.dtype()), shape), grid.dtype());
    }

    /// The same bits; every NaN is the same.
    private static void assertSame(@Nullable Tensor actual, @Nullable Tensor expected, Grid grid) {
        if (actual == null || expected == null) {
            return;
        }
        assertThat(Torch.dtype(actual)).isEqualTo(Torch.dtype(expected));
        assertThat(Torch.shape(actual)).isEqualTo(Torch.shape(expected));
        float[] a = Torch.floats(actual);
        float[] e = Torch.floats(expected);
        for (int i = 0; i < e.length; i++) {
            assertThat(Float.floatToIntBits(a[i]))
                    .as("%s at %d: %s, not %s", grid, i, a[i], e[i])
                    .isEqualTo(Float.floatToIntBits(e[i]));
        }
    }
}
