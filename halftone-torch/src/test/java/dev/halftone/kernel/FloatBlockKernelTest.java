package dev.halftone.kernel;

import static dev.halftone.kernel.Agreement.assertSame;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// MX and NVFP4.
class FloatBlockKernelTest {
    private static final Grid NVFP4 = new Nvfp4Grid(Numerics.TORCHAO, true, DType.BF16);

    static Stream<Grid> grids() {
        return Stream.concat(FloatBlockInputs.mx().stream(), FloatBlockInputs.nvfp4().stream());
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeImplementationsAgreeBitForBitAndTrainWhatTheyStore(Grid grid) {
        Random random = new Random(1);
        for (int rows = 1; rows < 12; rows++) {
            // One NaN is enough to make a tensor of NaNs.
            boolean special = rows % 4 == 3;
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, special, rows, 1 + random.nextInt(12));
                Agreement.ofValues(grid, x);
                GridKernel reference = Kernels.REFERENCE.of(grid);
                Quantized q = reference.quantize(x);
                assertThat(q.tensorScale() == null).isEqualTo(!grid.wholeTensor());
                assertSame(reference.dequantize(q), reference.fakeQuantized(x), grid);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("grids")
    void gradientsPassUnchangedWhateverTheRule(Grid grid) {
        Random random = new Random(2);
        for (GradientRule rule : GradientRule.values()) {
            try (Scope _ = Scope.open()) {
                Tensor x = tensor(random, grid, true, 5, 8);
                Tensor up = tensor(random, grid, false, 5, 8);
                Agreement.ofGradients(grid, x, up, rule);
                assertSame(Kernels.REFERENCE.of(grid).gradient(x, up, rule), up, grid);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyCodeSurvivesAten(MiniFloat format) {
        try (Scope _ = Scope.open()) {
            float[] numbers = new float[1 << format.bits()];
            for (int code = 0; code < numbers.length; code++) {
                float v = format.decode((byte) code);
                numbers[code] = Float.isInfinite(v) ? Float.NaN : v;
            }
            Tensor codes = AtenMiniFloat.encode(Torch.of(numbers, numbers.length), format);
            assertThat(Torch.floats(AtenMiniFloat.decode(codes, format))).containsExactly(numbers);
        }
    }

    @ParameterizedTest
    @EnumSource(Kernels.class)
    void transposedAndEmptyInputsWork(Kernels kernels) {
        for (Grid grid : List.of(NVFP4, new MxGrid(MxFormat.MXFP4, MxScaleMode.RCEIL, Numerics.TORCHAO, DType.BF16))) {
            try (Scope _ = Scope.open()) {
                GridKernel kernel = kernels.of(grid);
                Tensor transposed = tensor(new Random(3), grid, false, 64, 1).transpose(0, 1);
                assertSame(kernel.fakeQuantized(transposed), kernel.fakeQuantized(transposed.contiguous()), grid);
                assertSame(
                        kernel.quantize(transposed).codes(),
                        kernel.quantize(transposed.contiguous()).codes(),
                        grid);
                Tensor none = kernel.fakeQuantized(Torch.empty(DType.BF16, 0, 32));
                assertThat(Torch.shape(none)).containsExactly(0, 32);
            }
        }
    }

    @Test
    void theNumberOfThreadsDoesNotChangeABit() {
        int threads = Torch.threads();
        try (Scope _ = Scope.open()) {
            Tensor w = tensor(new Random(2), NVFP4, false, 8001, 2);
            Tensor expected = Kernels.REFERENCE.of(NVFP4).fakeQuantized(w);
            for (int n : new int[] {1, 2, 3, 7}) {
                Torch.setThreads(n);
                assertSame(Kernels.VECTOR.of(NVFP4).fakeQuantized(w), expected, NVFP4);
                assertSame(Kernels.ATEN.of(NVFP4).fakeQuantized(w), expected, NVFP4);
            }
        } finally {
            Torch.setThreads(threads);
        }
    }

    @Test
    void wrongBlocksAreRefused() {
        try (Scope _ = Scope.open()) {
            Tensor w = Torch.zeros(DType.BF16, 2, 40);
            Tensor f = Torch.zeros(DType.F32, 2, 64);
            for (Kernels kernels : Kernels.values()) {
                assertThatThrownBy(() -> kernels.of(NVFP4).quantize(w)).isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> kernels.of(NVFP4).fakeQuantized(f))
                        .isInstanceOf(IllegalArgumentException.class);
            }
        }
    }

    private static Tensor tensor(Random random, Grid grid, boolean special, int rows, int blocks) {
        int group = grid.granularity().groupSize(0);
        float[] x = FloatBlockInputs.values(random, rows * blocks, group, grid.dtype(), special);
        return Ops.to(Torch.of(x, rows, (long) blocks * group), grid.dtype());
    }
}
