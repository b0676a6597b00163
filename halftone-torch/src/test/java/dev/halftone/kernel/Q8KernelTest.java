package dev.halftone.kernel;

import static dev.halftone.kernel.Agreement.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Q8Grid;
import dev.halftone.quant.Rounding;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// llama.cpp's 8-bit inputs.
class Q8KernelTest {
    private static final Q8Grid Q8_0 = new Q8Grid(Q8Grid.Type.Q8_0, DType.BF16);

    static List<Q8Grid> grids() {
        List<Q8Grid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (Q8Grid.Type type : Q8Grid.Type.values()) {
                grids.add(new Q8Grid(type, dtype));
            }
        }
        return grids;
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeImplementationsAgreeBitForBit(Q8Grid grid) {
        Random random = new Random(1);
        for (int rows = 1; rows < 12; rows++) {
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, rows, 1 + random.nextInt(12));
                Agreement.ofValues(grid, x);
                GridKernel reference = Kernels.REFERENCE.of(grid);
                assertSame(reference.dequantize(reference.quantize(x)), reference.fakeQuantized(x), grid);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("grids")
    void gradientsPassUnchangedWhateverTheRule(Q8Grid grid) {
        Random random = new Random(2);
        for (GradientRule rule : GradientRule.values()) {
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, 5, 8);
                Tensor up = tensor(random, grid, 5, 8);
                Agreement.ofGradients(grid, x, up, rule);
                assertSame(Kernels.REFERENCE.of(grid).gradient(x, up, rule), up, grid);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void transposedAndEmptyInputsWork(Kernels kernels) {
        try (Scope _ = Scope.open()) {
            GridKernel kernel = kernels.of(Q8_0);
            Tensor transposed = tensor(new Random(3), Q8_0, 64, 1).transpose(0, 1);
            assertSame(kernel.fakeQuantized(transposed), kernel.fakeQuantized(transposed.contiguous()), Q8_0);
            Tensor none = kernel.fakeQuantized(Torch.empty(DType.BF16, 0, 32));
            assertThat(Torch.shape(none)).containsExactly(0, 32);
        }
    }

    @Test
    void wrongBlocksAreRefused() {
        try (Scope _ = Scope.open()) {
            Tensor x = Torch.zeros(DType.BF16, 2, 48);
            Tensor f = Torch.zeros(DType.F32, 2, 64);
            for (Kernels kernels : Kernels.values()) {
                assertThatThrownBy(() -> kernels.of(Q8_0).quantize(x)).isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> kernels.of(Q8_0).fakeQuantized(f))
                        .isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    /// Every second block is one of [IntxInputs]; the others lie on the codes and halfway between them.
    private static Tensor tensor(Random random, Q8Grid grid, int rows, int blocks) {
        int size = grid.type().blockSize();
        float[] x = IntxInputs.values(random, rows * blocks, size, grid.dtype());
        for (int b = 0; b < rows * blocks; b += 2) {
            float step = Math.scalb(1f, random.nextInt(20) - 14);
            for (int i = b * size; i < (b + 1) * size; i++) {
                float q = i == b * size ? 127 : random.nextInt(507) / 2f - 126.5f;
                x[i] = Rounding.round(q * step, grid.dtype());
            }
        }
        return Ops.to(Torch.of(x, rows, (long) blocks * size), grid.dtype());
    }
}
