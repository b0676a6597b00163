package dev.halftone.nn;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Random;
import java.util.function.BiPredicate;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
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

    @Test
    void longSequencesInBfloat16GiveWhatFloat32Gives() {
        int s = 1100;
        try (Scope _ = Scope.open();
                AttentionContext context = new AttentionContext(Torch.of(new int[s], 1, s), null, null)) {
            Tensor[] wide = new Tensor[3];
            Tensor[] narrow = new Tensor[3];
            for (int i = 0; i < 3; i++) {
                narrow[i] = Ops.to(Torch.of(random(i, DType.BF16, 2 * s * D), 1, 2, s, D), DType.BF16);
                wide[i] = Ops.to(narrow[i], DType.F32);
            }
            int all = AttentionContext.UNBOUNDED;
            Tensor expected = ScaledDotProduct.attend(wide[0], wide[1], wide[2], SCALE, all, context);
            Tensor actual = ScaledDotProduct.attend(narrow[0], narrow[1], narrow[2], SCALE, all, context);
            assertThat(Torch.dtype(actual)).isEqualTo(DType.BF16);
            assertThat(Torch.floats(actual))
                    .usingComparatorWithPrecision(2e-2f)
                    .containsExactly(Torch.floats(expected));
        }
    }
}
