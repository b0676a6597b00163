package dev.halftone.kernel;

import static dev.halftone.kernel.Agreement.assertSame;
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
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GridKernelTest {
    private static final Grid INT4 = Int4Grid.minimum(DType.BF16, DType.BF16, new Granularity.PerGroup(32), true);

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 12, 16, 31, 32, 33, 64, 97, 128})
    void theThreeImplementationsAgreeBitForBit(int group) {
        Random random = new Random(group);
        for (Grid grid : GridInputs.grids(new Granularity.PerGroup(group))) {
            try (Scope _ = Scope.open()) {
                int blocks = 2 * (1 + random.nextInt(20));
                Tensor x = tensor(random, grid, blocks, group, 2, blocks / 2 * group);
                Agreement.ofValues(grid, x);
                // An infinity has no code under intN, so there its value is lost.
                if (!(grid instanceof IntxGrid)) {
                    GridKernel reference = Kernels.REFERENCE.of(grid);
                    assertSame(reference.dequantize(reference.quantize(x)), reference.fakeQuantized(x), grid);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 12, 32, 97})
    void theThreeGradientsAndAutogradAgreeBitForBit(int group) {
        Random random = new Random(group);
        for (Grid grid : GridInputs.grids(new Granularity.PerGroup(group))) {
            for (GradientRule rule : GradientRule.values()) {
                try (Scope _ = Scope.open()) {
                    Tensor x = tensor(random, grid, 20, group, 4, 5 * group);
                    Tensor up = tensor(random, grid, 20, group, 4, 5 * group);
                    Agreement.ofGradients(grid, x, up, rule);
                }
            }
        }
    }

    /// More blocks than a tile holds, and more tiles than a thread is given.
    @Test
    void theThreeGradientsAgreeOnManyBlocks() {
        Random random = new Random(8);
        for (Grid grid : GridInputs.grids(new Granularity.PerGroup(32))) {
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, 2400, 32, 40, 60 * 32);
                Tensor up = tensor(random, grid, 2400, 32, 40, 60 * 32);
                Agreement.ofGradients(grid, x, up, GradientRule.OPEN);
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
}
