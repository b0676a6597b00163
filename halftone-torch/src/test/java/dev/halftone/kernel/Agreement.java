package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// That the implementations of a grid agree bit for bit: what tests of kernels demand.
final class Agreement {
    private static final List<Kernels> OTHERS = List.of(Kernels.VECTOR, Kernels.ATEN);

    private Agreement() {}

    /// In codes, scales, what they stand for, and what training sees.
    static void ofValues(Grid grid, Tensor x) {
        GridKernel reference = Kernels.REFERENCE.of(grid);
        Quantized q = reference.quantize(x);
        Tensor dequantized = reference.dequantize(q);
        Tensor fakeQuantized = reference.fakeQuantized(x);
        for (Kernels kernels : OTHERS) {
            GridKernel kernel = kernels.of(grid);
            Quantized other = kernel.quantize(x);
            assertSame(other.codes(), q.codes(), grid);
            assertSame(other.scale(), q.scale(), grid);
            assertBothOrNone(other.zeroPoint(), q.zeroPoint(), grid);
            assertBothOrNone(other.tensorScale(), q.tensorScale(), grid);
            assertSame(kernel.dequantize(q), dequantized, grid);
            assertSame(kernel.fakeQuantized(x), fakeQuantized, grid);
            Tensor inPlace = Ops.copy(x);
            kernel.fakeQuantize(inPlace, inPlace);
            assertSame(inPlace, fakeQuantized, grid);
        }
    }

    /// In gradients, asked for and through autograd.
    static void ofGradients(Grid grid, Tensor x, Tensor upstream, GradientRule rule) {
        GridKernel reference = Kernels.REFERENCE.of(grid);
        Tensor expected = reference.gradient(x, upstream, rule);
        for (Kernels kernels : Kernels.values()) {
            GridKernel kernel = kernels.of(grid);
            assertSame(kernel.gradient(x, upstream, rule), expected, grid);
            Tensor leaf = Ops.copy(x).requires_grad_(true);
            Tensor y = StraightThrough.fakeQuantize(leaf, rule, kernel, new SpareNotes());
            assertSame(y, reference.fakeQuantized(x), grid);
            Ops.backward(y, upstream);
            assertSame(leaf.grad(), expected, grid);
        }
    }

    private static void assertBothOrNone(@Nullable Tensor actual, @Nullable Tensor expected, Grid grid) {
        if (actual != null && expected != null) {
            assertSame(actual, expected, grid);
        } else {
            assertThat(actual).as("%s", grid).isSameAs(expected);
        }
    }

    /// The same dtype, shape and bits; every NaN is the same.
    static void assertSame(Tensor actual, Tensor expected, Grid grid) {
        assertThat(Torch.dtype(actual)).isEqualTo(Torch.dtype(expected));
        assertThat(Torch.shape(actual)).isEqualTo(Torch.shape(expected));
        float[] a = Torch.floats(actual);
        float[] e = Torch.floats(expected);
        // Quickly where all is well, and by the first difference where it is not.
        if (!Arrays.equals(a, e)) {
            int at = Arrays.mismatch(a, e);
            assertThat(a[at]).as("%s at %d", grid, at).isEqualTo(e[at]);
        }
    }
}
