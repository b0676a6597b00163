package dev.halftone.kernel;

import static dev.halftone.kernel.Agreement.assertSame;
import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.ChainedGrid;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Numerics;
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

class AmaxKernelTest {
    private static final Granularity TENSOR = new Granularity.PerTensor();

    static List<AmaxGrid> grids() {
        return AmaxInputs.grids();
    }

    /// The grid by groups, by rows and by tensor, and after a rounding of rows to float8.
    private static List<Grid> blocks(AmaxGrid numbers, int group) {
        List<Grid> grids =
                new ArrayList<>(List.of(numbers.with(new Granularity.PerGroup(group)), numbers.with(TENSOR)));
        if (numbers.formula() == AmaxGrid.Formula.INT4_TRAINING) {
            AmaxGrid rows = new Float8Int4Scheme(new Granularity.PerGroup(group), Numerics.TORCHAO_VERBATIM)
                    .activations(numbers.dtype())
                    .bounded(1e-12f, Float.POSITIVE_INFINITY);
            grids.add(new ChainedGrid(rows, numbers.with(new Granularity.PerGroup(group))));
        }
        return grids;
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeImplementationsAgreeBitForBit(AmaxGrid numbers) {
        Random random = new Random(numbers.toString().hashCode());
        for (int group : new int[] {2, 3, 16, 31, 33, 64, 97}) {
            int blocks = 2 * (1 + random.nextInt(20));
            float[] values = IntxInputs.values(random, blocks, group, numbers.dtype());
            for (Grid grid : blocks(numbers, group)) {
                try (Scope _ = Scope.open()) {
                    Tensor x = tensor(values, grid, 2, blocks / 2 * group);
                    Agreement.ofValues(grid, x);
                    GridKernel reference = Kernels.REFERENCE.of(grid);
                    Tensor dq = reference.dequantize(reference.quantize(x));
                    Tensor fq = reference.fakeQuantized(x);
                    // A NaN among integers has the code 0.
                    assertSame(Ops.maskedFill(dq, fq.isnan(), Double.NaN), fq, grid);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeGradientsAndAutogradAgreeBitForBit(AmaxGrid numbers) {
        Random random = new Random(numbers.toString().hashCode());
        for (int group : new int[] {2, 32, 97}) {
            float[] values = IntxInputs.values(random, 20, group, numbers.dtype());
            float[] upstream = IntxInputs.values(random, 20, group, numbers.dtype());
            for (Grid grid : blocks(numbers, group)) {
                for (GradientRule rule : GradientRule.values()) {
                    try (Scope _ = Scope.open()) {
                        Tensor x = tensor(values, grid, 4, 5 * group);
                        Tensor up = tensor(upstream, grid, 4, 5 * group);
                        Agreement.ofGradients(grid, x, up, rule);
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void aTensorThatSharesAScaleHasOne(Kernels kernels) {
        AmaxGrid grid = AmaxGrid.float8(AmaxGrid.Formula.FLOAT8, DType.BF16, TENSOR);
        try (Scope _ = Scope.open()) {
            Tensor x = Ops.to(Torch.of(new float[] {1, 2, 3, -4480, 0, 7}, 1, 3, 2), DType.BF16);
            Quantized q = kernels.of(grid).quantize(x);
            assertThat(Torch.shape(q.scale())).containsExactly(1, 1, 1);
            assertThat(Torch.floats(q.scale())).containsExactly(10);
            assertThat(Torch.dtype(q.codes())).isEqualTo(DType.U8);
            assertThat(q.tensorScale()).isNull();
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void zerosAreFiniteUnlessTorchaoIsMirrored(Kernels kernels) {
        for (AmaxGrid grid : AmaxInputs.grids()) {
            if (grid.dtype() == DType.F16) {
                continue; // In which the reciprocal of torchao's smallest int4 scale overflows.
            }
            boolean finite = grid.formula() != AmaxGrid.Formula.FLOAT8_TORCHAO || grid.lowest() > 0;
            try (Scope _ = Scope.open()) {
                Tensor zeros = Torch.zeros(grid.dtype(), 2, 40);
                Tensor ones = Ops.add(zeros, 1);
                GridKernel kernel = kernels.of(grid);
                assertThat(Torch.floats(kernel.fakeQuantized(zeros))).containsOnly(finite ? 0 : Float.NaN);
                for (GradientRule rule : GradientRule.values()) {
                    float gradient = Torch.floats(kernel.gradient(zeros, ones, rule))[0];
                    assertThat(Float.isFinite(gradient)).isEqualTo(finite || rule == GradientRule.IDENTITY);
                }
            }
        }
    }

    private static Tensor tensor(float[] values, Grid grid, long... shape) {
        return Ops.to(Torch.of(values, shape), grid.dtype());
    }

    @Test
    void emptyTensorsWork() {
        AmaxGrid grid = AmaxGrid.float8(AmaxGrid.Formula.FLOAT8, DType.BF16, new Granularity.PerAxis());
        for (Kernels kernels : Kernels.values()) {
            try (Scope _ = Scope.open()) {
                Tensor none = kernels.of(grid).fakeQuantized(Torch.empty(DType.BF16, 0, 32));
                assertThat(Torch.shape(none)).containsExactly(0, 32);
            }
        }
    }
}
