package dev.halftone.kernel;

import static dev.halftone.kernel.Agreement.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.quant.GgufGrid;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GradientRule;
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

class GgufKernelTest {
    private static final GgufGrid Q4_1 = new GgufGrid(GgufLattice.Q4_1, DType.BF16);

    static List<GgufGrid> grids() {
        return GgufInputs.grids();
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeImplementationsAgreeBitForBit(GgufGrid grid) {
        Random random = new Random(grid.lattice().ordinal());
        for (int rows = 1; rows < 12; rows++) {
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, rows, 1 + random.nextInt(12));
                Agreement.ofValues(grid, x);
                GridKernel reference = Kernels.REFERENCE.of(grid);
                Quantized q = reference.quantize(x);
                assertThat(q.zeroPoint() == null).isEqualTo(!grid.lattice().hasMinimum());
                assertSame(reference.dequantize(q), reference.fakeQuantized(x), grid);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeGradientsAndAutogradAgreeBitForBit(GgufGrid grid) {
        Random random = new Random(grid.lattice().ordinal());
        for (GradientRule rule : GradientRule.values()) {
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, 5, 8);
                Tensor up = tensor(random, grid, 5, 8);
                Agreement.ofGradients(grid, x, up, rule);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void transposedAndEmptyInputsWork(Kernels kernels) {
        try (Scope _ = Scope.open()) {
            GridKernel kernel = kernels.of(Q4_1);
            Tensor transposed = tensor(new Random(3), Q4_1, 64, 1).transpose(0, 1);
            assertSame(kernel.fakeQuantized(transposed), kernel.fakeQuantized(transposed.contiguous()), Q4_1);
            assertSame(
                    kernel.gradient(transposed, transposed, GradientRule.OPEN),
                    Kernels.REFERENCE.of(Q4_1).gradient(transposed, transposed, GradientRule.OPEN),
                    Q4_1);
            Tensor none = kernel.fakeQuantized(Torch.empty(DType.BF16, 0, 32));
            assertThat(Torch.shape(none)).containsExactly(0, 32);
        }
    }

    @ParameterizedTest
    @EnumSource
    void rowsOfAFileHoldCodesAndScales(GgufLattice lattice) {
        GgufGrid grid = new GgufGrid(lattice, DType.F32);
        try (Scope _ = Scope.open()) {
            Tensor x = Ops.to(tensor(new Random(4), new GgufGrid(lattice, DType.BF16), 6, 3), DType.F32);
            Quantized q = Kernels.ATEN.of(grid).quantize(x);
            Tensor raw = GgufRows.pack(q, grid);
            int bytes = LatticeBlocks.type(lattice).blockBytes();
            assertThat(Torch.shape(raw)).containsExactly(6, 3L * bytes);
            Quantized back = GgufRows.unpack(raw, grid);
            assertSame(back.codes(), q.codes(), grid);
            assertSame(back.scale(), q.scale(), grid);
            assertThat(back.zeroPoint() == null).isEqualTo(!lattice.hasMinimum());
            assertSame(
                    Kernels.REFERENCE.of(grid).dequantize(back),
                    Kernels.VECTOR.of(grid).fakeQuantized(x),
                    grid);
            assertThatThrownBy(() -> GgufRows.unpack(Torch.zeros(DType.U8, 2, bytes + 1), grid))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(lattice.name());
        }
    }

    @Test
    void wrongBlocksAreRefused() {
        try (Scope _ = Scope.open()) {
            Tensor w = Torch.zeros(DType.BF16, 2, 48);
            Tensor f = Torch.zeros(DType.F32, 2, 64);
            for (Kernels kernels : Kernels.values()) {
                assertThatThrownBy(() -> kernels.of(Q4_1).quantize(w)).isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> kernels.of(Q4_1).fakeQuantized(f))
                        .isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    private static Tensor tensor(Random random, GgufGrid grid, int rows, int blocks) {
        float[] x = GgufInputs.values(random, rows * blocks, grid);
        return Ops.to(Torch.of(x, rows, (long) blocks * grid.lattice().blockSize()), grid.dtype());
    }
}
