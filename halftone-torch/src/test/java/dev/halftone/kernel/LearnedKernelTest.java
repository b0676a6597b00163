package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.kernel.LearnedKernel.Gradients;
import dev.halftone.kernel.LearnedKernel.Scales;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Dispatch;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.bytedeco.pytorch.IValueVector;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LearnedKernelTest {
    static List<LearnedGrid> grids() {
        List<LearnedGrid> grids = new ArrayList<>();
        for (DType dtype : List.of(DType.F32, DType.BF16, DType.F16)) {
            for (int bits : new int[] {2, 4, 8}) {
                grids.add(grid(bits, 32, Numerics.LSQ, dtype));
                grids.add(grid(bits, 33, Numerics.TORCHAO_RANGE_LEARNING, dtype));
            }
        }
        grids.add(new LearnedGrid(IntxGrid.activations(Numerics.TORCHAO_RANGE_LEARNING, DType.F32), false));
        return grids;
    }

    private static LearnedGrid grid(int bits, int group, Numerics numerics, DType dtype) {
        return (LearnedGrid) new IntxScheme(bits, new Granularity.PerGroup(group), false, numerics).weights(dtype);
    }

    @ParameterizedTest
    @MethodSource("grids")
    void theThreeImplementationsAgreeBitForBit(LearnedGrid grid) {
        Random random = new Random(grid.hashCode());
        int group = grid.granularity().groupSize(48);
        LearnedKernel reference = kernel(Kernels.REFERENCE, grid);
        try (Scope _ = Scope.open()) {
            Tensor x = values(random, grid, group);
            Tensor upstream = values(random, grid, group);
            // As training leaves them: not quite where they started, one below the smallest.
            Tensor scale = Ops.mul(reference.start(x).scale(), 0.7);
            Ops.fill_(scale.select(0, 0).select(0, 0), -0.25);
            Tensor zeroPoint = reference.start(x).zeroPoint();
            Scales given = new Scales(scale, zeroPoint == null ? null : Ops.add(zeroPoint, 0.25));
            for (Kernels kernels : List.of(Kernels.VECTOR, Kernels.ATEN)) {
                LearnedKernel kernel = kernel(kernels, grid);
                assertSame(kernel.start(x).scale(), reference.start(x).scale());
                assertSame(kernel.fakeQuantized(x), reference.fakeQuantized(x));
                assertSame(
                        kernel.quantize(x, given).codes(),
                        reference.quantize(x, given).codes());
                assertSame(
                        kernel.quantize(x, given).scale(),
                        reference.quantize(x, given).scale());
                assertSame(
                        kernel.with(given).fakeQuantized(x),
                        reference.with(given).fakeQuantized(x));
                for (GradientRule rule : GradientRule.values()) {
                    Gradients g = kernel.gradients(x, given, upstream, rule);
                    Gradients expected = reference.gradients(x, given, upstream, rule);
                    assertSame(g.x(), expected.x());
                    assertSame(g.scales().scale(), expected.scales().scale());
                    if (zeroPoint != null) {
                        assertSame(g.scales().zeroPoint(), expected.scales().zeroPoint());
                    }
                }
            }
            if (grid.codes().symmetric()) {
                // A NaN has no code.
                Tensor numbers = Ops.maskedFill(x, x.ne(x), 0);
                assertSame(
                        reference.dequantize(reference.quantize(numbers, given)),
                        reference.with(given).fakeQuantized(numbers));
            }
        }
    }

    /// torch's own learnable fake quantization, whose gradient of the scale is LSQ's.
    @Test
    void lsqIsTorchsLearnableFakeQuantization() {
        int group = 32;
        LearnedGrid grid = grid(4, group, Numerics.LSQ, DType.F32);
        Random random = new Random(7);
        try (Scope _ = Scope.open()) {
            float[] normal = new float[20 * group];
            float[] slopes = new float[normal.length];
            for (int i = 0; i < normal.length; i++) {
                normal[i] = (float) random.nextGaussian();
                slopes[i] = (float) random.nextGaussian();
            }
            Tensor x_BG = Torch.of(normal, 20, group);
            Tensor up_BG = Torch.of(slopes, 20, group);
            LearnedKernel kernel = kernel(Kernels.VECTOR, grid);
            Scales start = kernel.start(x_BG);
            Tensor scale_B = start.scale().squeeze(-1);
            Tensor zeros_B = scale_B.sub(scale_B);
            double factor = 1 / Math.sqrt(group * 7.0);
            Tensor y_BG = Dispatch.call(
                            "_fake_quantize_learnable_per_channel_affine",
                            "",
                            x_BG,
                            scale_B,
                            zeros_B,
                            0L,
                            -8L,
                            7L,
                            factor)
                    .get(0)
                    .toTensor();
            IValueVector backward = Dispatch.call(
                    "_fake_quantize_learnable_per_channel_affine_backward",
                    "",
                    up_BG,
                    x_BG,
                    scale_B,
                    zeros_B,
                    0L,
                    -8L,
                    7L,
                    factor);
            Gradients ours = kernel.gradients(x_BG, start, up_BG, GradientRule.CLOSED);
            assertNear(kernel.fakeQuantized(x_BG), y_BG, 1e-6);
            assertNear(ours.x(), backward.get(0).toTensor(), 1e-6);
            assertNear(ours.scales().scale().squeeze(-1), backward.get(1).toTensor(), 1e-5);
            // Esser et al., section 2.1: 2⟨|w|⟩/√Qp.
            assertNear(scale_B, Ops.mul(Ops.meanLast(x_BG.abs()).squeeze(-1), 2 / Math.sqrt(7)), 1e-6);
        }
    }

    private static Tensor values(Random random, LearnedGrid grid, int group) {
        return Ops.to(Torch.of(IntxInputs.values(random, 40, group, grid.dtype()), 20, 2L * group), grid.dtype());
    }

    private static LearnedKernel kernel(Kernels kernels, LearnedGrid grid) {
        return (LearnedKernel) kernels.of(grid);
    }

    private static void assertNear(Tensor actual, Tensor expected, double tolerance) {
        float[] a = Torch.floats(actual);
        float[] e = Torch.floats(expected);
        assertThat(a).hasSameSizeAs(e);
        for (int i = 0; i < e.length; i++) {
            assertThat((double) a[i]).isCloseTo(e[i], within(tolerance * Math.max(1, Math.abs(e[i]))));
        }
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
