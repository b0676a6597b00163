package dev.halftone.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Random;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LinearCrossEntropyTest {
    private static final int BATCH = 2;
    private static final int SEQ = 13;
    private static final int WIDTH = 8;
    private static final int VOCABULARY = 37;

    private final int[] labels = new Random(3).ints(BATCH * SEQ, 0, VOCABULARY).toArray();

    LinearCrossEntropyTest() {
        for (int i = 0; i < labels.length; i += 4) {
            labels[i] = Targets.IGNORED;
        }
    }

    private static Tensor random(long seed, DType dtype, long... shape) {
        Random random = new Random(seed);
        int n = 1;
        for (long s : shape) {
            n *= (int) s;
        }
        float[] values = new float[n];
        for (int i = 0; i < n; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Ops.to(Torch.of(values, shape), dtype);
    }

    private static Linear head(DType dtype) {
        Parameter weight = new Parameter(random(1, dtype, VOCABULARY, WIDTH));
        weight.setTrainable(true);
        return new Linear(weight, null);
    }

    private static Tensor hidden(DType dtype) {
        return random(2, dtype, BATCH, SEQ, WIDTH).requires_grad_(true);
    }

    @ParameterizedTest
    @CsvSource({"F32, 100, 100, 1e-6", "F32, 7, 3, 1e-6", "F32, 1, 1, 1e-6", "BF16, 100, 100, 1e-2", "BF16, 7, 3, 1e-2"
    })
    void lossAndGradientsAreThoseOfTorchsCrossEntropy(DType dtype, int chunkRows, int blockRows, float tolerance) {
        try (Scope _ = Scope.open()) {
            Targets targets = Targets.shifted(BATCH, SEQ, labels);
            Linear head = head(dtype);
            Tensor h = hidden(dtype);
            // A model in front of the head, to see the gradient pass on.
            double sum = new LinearCrossEntropy(head, chunkRows, blockRows).backward(Ops.mul(h, 2), targets, 5);

            Linear head2 = head(DType.F32);
            Tensor h2 = Ops.to(hidden(dtype).detach(), DType.F32).requires_grad_(true);
            Tensor logits = head2.forward(Ops.mul(h2, 2).narrow(1, 0, SEQ - 1).reshape(-1, WIDTH));
            int[] shifted = new int[BATCH * (SEQ - 1)];
            for (int i = 0; i < shifted.length; i++) {
                shifted[i] = labels[i / (SEQ - 1) * SEQ + i % (SEQ - 1) + 1];
            }
            Tensor loss = Ops.crossEntropySum(logits, Torch.of(shifted, shifted.length), Targets.IGNORED);
            Ops.mul(loss, 1 / 5.0).backward();

            assertThat(sum).isCloseTo(loss.item_double(), within(tolerance * loss.item_double()));
            same(h.grad(), h2.grad(), tolerance);
            same(((Parameter) head.weight()).gradient(), ((Parameter) head2.weight()).gradient(), tolerance);
        }
    }

    private static void same(Tensor actual, Tensor expected, float tolerance) {
        float[] a = Torch.floats(actual);
        float[] e = Torch.floats(expected);
        float largest = 0;
        for (float v : e) {
            largest = Math.max(largest, Math.abs(v));
        }
        assertThat(a).usingComparatorWithPrecision(tolerance * largest).containsExactly(e);
    }

    @Test
    void eachTargetHasItsOwnLossInOrder() {
        try (Scope _ = Scope.open()) {
            Targets targets = Targets.shifted(BATCH, SEQ, labels);
            Linear head = head(DType.F32);
            Tensor h = hidden(DType.F32);
            float[] whole = new LinearCrossEntropy(head).each(h, targets);
            assertThat(new LinearCrossEntropy(head, 5, 2).each(h, targets))
                    .usingComparatorWithPrecision(1e-6f)
                    .containsExactly(whole);
            Targets third = new Targets(new int[] {targets.rows()[2]}, new int[] {targets.tokens()[2]});
            assertThat(new LinearCrossEntropy(head).each(h, third)[0]).isCloseTo(whole[2], within(1e-6f));
            double sum = 0;
            for (float loss : whole) {
                sum += loss;
            }
            assertThat(new LinearCrossEntropy(head).sum(h, targets)).isEqualTo(sum);
        }
    }

    @Test
    void withoutTargetsThereIsNeitherLossNorGradient() {
        try (Scope _ = Scope.open()) {
            Linear head = head(DType.F32);
            Tensor h = hidden(DType.F32);
            Targets none = new Targets(new int[0], new int[0]);
            assertThat(new LinearCrossEntropy(head).backward(h, none, 1)).isZero();
            assertThat(new LinearCrossEntropy(head).each(h, none)).isEmpty();
            assertThat(((Parameter) head.weight()).gradient()).isNull();
        }
    }

    @Test
    void aLabelOutsideTheVocabularyIsNamed() {
        try (Scope _ = Scope.open()) {
            Targets targets = new Targets(new int[] {0}, new int[] {VOCABULARY});
            LinearCrossEntropy loss = new LinearCrossEntropy(head(DType.F32));
            assertThatThrownBy(() -> loss.backward(hidden(DType.F32), targets, 1))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("37");
        }
    }

    @Test
    void targetsAreTheLabelsShiftedByOne() {
        Targets targets = Targets.shifted(2, 3, new int[] {5, 6, 7, 8, Targets.IGNORED, 9});
        assertThat(targets.rows()).containsExactly(0, 1, 4);
        assertThat(targets.tokens()).containsExactly(6, 7, 9);
    }
}
