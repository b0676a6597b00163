package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The fused parts of a layer against libtorch's operators, forward and backward.
class LayerKernelsTest {
    private record Passed(float[] out, float[] gradient) {}

    /// Heads whose halves fill vectors, and such that do not; positions shared by the batch, and not.
    @ParameterizedTest
    @CsvSource({"BF16, 64, 1", "F32, 64, 2", "BF16, 6, 2", "F32, 40, 1"})
    void rotationsAreEqualBitForBit(DType dtype, int headDim, int positionRows) {
        try (Scope _ = Scope.open()) {
            Tensor half = random(7, DType.F32, positionRows, 1, 5, headDim / 2);
            Tensor angles = Ops.cat(java.util.List.of(half, half), 3);
            Tensor cos = Ops.to(angles.cos(), dtype);
            Tensor sin = Ops.to(angles.sin(), dtype);
            Tensor x = random(1, dtype, 2, 5, 3, headDim);
            Passed fused = pass(x, new Rotary(cos, sin)::apply);
            Passed aten = pass(x, t -> Rotary.aten(t, cos.transpose(1, 2), sin.transpose(1, 2)));
            assertThat(fused.out).containsExactly(aten.out);
            assertThat(fused.gradient).containsExactly(aten.gradient);
        }
    }

    /// The order of sums differs: float32 to a few units in the last place, bfloat16 to one of them now and then.
    @ParameterizedTest
    @CsvSource({"BF16, BF16, 576, 0.0079", "F32, F32, 576, 1e-5", "BF16, F32, 37, 1e-2", "F32, F32, 5, 1e-5"})
    void normsAreEqual(DType from, DType to, int width, double tolerance) {
        try (Scope _ = Scope.open()) {
            Tensor x = random(2, from, 3, 4, width);
            Passed fused = pass(x, t -> RootMeanSquare.normalise(t, 1e-5, to));
            Passed aten = pass(x, t -> RootMeanSquare.aten(t, 1e-5, to));
            assertClose(fused.out, aten.out, to == DType.F32 ? 1e-6 : tolerance);
            assertClose(fused.gradient, aten.gradient, tolerance);
        }
    }

    private static void assertClose(float[] actual, float[] expected, double tolerance) {
        assertThat(actual).hasSameSizeAs(expected);
        for (int i = 0; i < actual.length; i++) {
            assertThat(actual[i]).isCloseTo(expected[i], within((float) (tolerance * (Math.abs(expected[i]) + 1e-2))));
        }
    }

    private static Passed pass(Tensor values, UnaryOperator<Tensor> function) {
        Tensor x = Ops.copy(values).requires_grad_(true);
        Tensor y = function.apply(x);
        Ops.backward(y, random(3, Torch.dtype(y), Torch.shape(y)));
        return new Passed(Torch.floats(y.detach()), Torch.floats(x.grad()));
    }

    private static Tensor random(long seed, DType dtype, long... shape) {
        Random random = new Random(seed);
        Tensor t = Torch.zeros(DType.F32, shape);
        float[] values = new float[(int) t.numel()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Ops.to(Torch.of(values, shape), dtype);
    }
}
