package dev.halftone.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.kernel.BlockAttention;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.Random;
import java.util.function.BiPredicate;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/// Held against attention written as loops. Dimensions: B batch, H query heads, G key heads, S positions, D features.
class ScaledDotProductTest {
    private static final int B = 2;
    private static final int H = 6;
    private static final int G = 2;
    private static final int S = 9;
    private static final int D = 4;
    private static final double SCALE = 0.7;

    private static float[] random(long seed, DType dtype, int n) {
        Random random = new Random(seed);
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        try (Scope _ = Scope.open()) {
            return Torch.floats(Ops.to(Torch.of(values, n), dtype));
        }
    }

    /// @param visible whether query `i` of a row sees key `j`
    private static float[] expected(float[] q, float[] k, float[] v, int row, BiPredicate<Integer, Integer> visible) {
        float[] out = new float[H * S * D];
        for (int h = 0; h < H; h++) {
            int g = h / (H / G);
            for (int i = 0; i < S; i++) {
                double total = 0;
                double[] sums = new double[D];
                for (int j = 0; j < S; j++) {
                    if (!visible.test(i, j)) {
                        continue;
                    }
                    double score = 0;
                    for (int d = 0; d < D; d++) {
                        score += q[((row * H + h) * S + i) * D + d] * k[((row * G + g) * S + j) * D + d];
                    }
                    double weight = Math.exp(score * SCALE);
                    total += weight;
                    for (int d = 0; d < D; d++) {
                        sums[d] += weight * v[((row * G + g) * S + j) * D + d];
                    }
                }
                for (int d = 0; d < D; d++) {
                    out[(h * S + i) * D + d] = (float) (sums[d] / total);
                }
            }
        }
        return out;
    }

    private static void check(
            DType dtype, int window, int @Nullable [] documents, BiPredicate<Integer, Integer> secondRow) {
        float[] q = random(1, dtype, B * H * S * D);
        float[] k = random(2, dtype, B * G * S * D);
        float[] v = random(3, dtype, B * G * S * D);
        int[] positions = new int[S];
        try (Scope _ = Scope.open();
                AttentionContext context = new AttentionContext(
                        Torch.of(positions, 1, S), documents == null ? null : Torch.of(documents, B, S), null)) {
            Tensor o = ScaledDotProduct.attend(
                    Ops.to(Torch.of(q, B, H, S, D), dtype),
                    Ops.to(Torch.of(k, B, G, S, D), dtype),
                    Ops.to(Torch.of(v, B, G, S, D), dtype),
                    SCALE,
                    window,
                    context);
            assertThat(Torch.dtype(o)).isEqualTo(dtype);
            float tolerance = dtype == DType.F32 ? 1e-5f : 3e-2f;
            BiPredicate<Integer, Integer> causal = (i, j) -> j <= i && i - j < window;
            assertThat(Torch.floats(o.select(0, 0)))
                    .usingComparatorWithPrecision(tolerance)
                    .containsExactly(expected(q, k, v, 0, causal));
            assertThat(Torch.floats(o.select(0, 1)))
                    .usingComparatorWithPrecision(tolerance)
                    .containsExactly(expected(q, k, v, 1, causal.and(secondRow)));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void aTokenSeesItselfAndWhatCameBefore(DType dtype) {
        check(dtype, AttentionContext.UNBOUNDED, null, (i, j) -> true);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void aWindowCountsTheTokenItself(DType dtype) {
        check(dtype, 3, null, (i, j) -> true);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void packedDocumentsDoNotSeeOneAnother(DType dtype) {
        int[] documents = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2};
        check(dtype, AttentionContext.UNBOUNDED, documents, (i, j) -> documents[S + i] == documents[S + j]);
    }

    /// Attention, and the gradients of queries, keys and values.
    private static List<float[]> passed(DType dtype, Tensor[] qkv, int window, int @Nullable [] documents, long s) {
        Tensor[] leaves = new Tensor[3];
        for (int i = 0; i < 3; i++) {
            leaves[i] = Ops.copy(Ops.to(qkv[i], dtype)).requires_grad_(true);
        }
        try (AttentionContext context = new AttentionContext(
                Torch.of(new int[(int) s], 1, s), documents == null ? null : Torch.of(documents, B, s), null)) {
            // Not by way of ScaledDotProduct, which on a machine without instructions for bfloat16 goes another way.
            Tensor o = dtype == DType.BF16
                    ? BlockAttention.attend(leaves[0], leaves[1], leaves[2], SCALE, context.first(window))
                    : ScaledDotProduct.attend(leaves[0], leaves[1], leaves[2], SCALE, window, context);
            Tensor upstream = Ops.to(Torch.of(random(4, DType.BF16, (int) o.numel()), Torch.shape(o)), dtype);
            Ops.backward(o, upstream);
            return List.of(
                    Torch.floats(o.detach()),
                    Torch.floats(leaves[0].grad()),
                    Torch.floats(leaves[1].grad()),
                    Torch.floats(leaves[2].grad()));
        }
    }

    /// More than two blocks of queries, the last of them not whole; documents that end within blocks.
    @ParameterizedTest
    @CsvSource({"1100, 2147483647, false", "1100, 700, false", "1100, 100, true", "1100, 2147483647, true", "3, 2, true"
    })
    void bfloat16HasTheResultsAndGradientsOfFloat32(int s, int window, boolean packed) {
        int[] documents = new int[B * s];
        for (int i = 0; i < documents.length; i++) {
            documents[i] = i % s / 450 + (i < s ? 0 : i % s / 300);
        }
        try (Scope _ = Scope.open()) {
            Tensor[] qkv = {
                Torch.of(random(1, DType.BF16, B * H * s * D), B, H, s, D),
                Torch.of(random(2, DType.BF16, B * G * s * D), B, G, s, D),
                Torch.of(random(3, DType.BF16, B * G * s * D), B, G, s, D)
            };
            List<float[]> expected = passed(DType.F32, qkv, window, packed ? documents : null, s);
            List<float[]> actual = passed(DType.BF16, qkv, window, packed ? documents : null, s);
            for (int i = 0; i < expected.size(); i++) {
                assertThat(relativeError(actual.get(i), expected.get(i)))
                        .as("result %d", i)
                        .isLessThan(0.01);
            }
        }
    }

    /// The norm of the difference over the norm. Rounding to bfloat16 alone is 2^-9, 0.002.
    private static double relativeError(float[] actual, float[] expected) {
        assertThat(actual).hasSameSizeAs(expected);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < actual.length; i++) {
            error += Math.pow(actual[i] - expected[i], 2);
            norm += Math.pow(expected[i], 2);
        }
        return Math.sqrt(error / norm);
    }

    @Test
    void whatIsFrozenNeedsNoGradient() {
        try (Scope _ = Scope.open();
                AttentionContext context = new AttentionContext(Torch.of(new int[S], 1, S), null, null)) {
            Tensor q = Ops.to(Torch.of(random(1, DType.BF16, H * S * D), 1, H, S, D), DType.BF16);
            Tensor k = Ops.to(Torch.of(random(2, DType.BF16, G * S * D), 1, G, S, D), DType.BF16);
            Tensor v = Ops.copy(k).requires_grad_(true);
            Tensor o = BlockAttention.attend(q, k, v, SCALE, context.first(AttentionContext.UNBOUNDED));
            Ops.backward(o, Ops.copy(o.detach()));
            assertThat(v.grad().defined()).isTrue();
            assertThat(k.grad().defined()).isFalse();
        }
    }

    @Test
    void whatIsNoNumberStaysVisible() {
        try (Scope _ = Scope.open();
                AttentionContext context = new AttentionContext(Torch.of(new int[S], 1, S), null, null)) {
            float[] values = random(1, DType.BF16, S * D);
            values[3 * D] = Float.NaN;
            Tensor q = Ops.to(Torch.of(values, 1, 1, S, D), DType.BF16);
            Tensor k = Ops.to(Torch.of(random(2, DType.BF16, S * D), 1, 1, S, D), DType.BF16);
            float[] o = Torch.floats(ScaledDotProduct.attend(q, k, k, SCALE, AttentionContext.UNBOUNDED, context));
            for (int i = 0; i < o.length; i++) {
                assertThat(Float.isNaN(o[i])).isEqualTo(i / D == 3);
            }
        }
    }
}
