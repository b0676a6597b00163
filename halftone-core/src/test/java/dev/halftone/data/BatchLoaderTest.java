package dev.halftone.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchLoaderTest {
    private static final Dataset TEN = Dataset.of(
            IntStream.range(0, 10).mapToObj(i -> new Sample(new int[] {i, i})).toList());

    private static List<Integer> epoch(BatchLoader loader, int epoch) {
        List<Integer> seen = new ArrayList<>();
        for (int i = 0; i < loader.batchesPerEpoch(); i++) {
            Batch batch = loader.batch(epoch, i);
            for (int row = 0; row < batch.batchSize(); row++) {
                seen.add(batch.inputIds()[row * batch.seqLen()]);
            }
        }
        return seen;
    }

    /// The numbers come from the algorithm as the class describes it, written in Python.
    @Test
    void theOrderIsTheDocumentedOne() {
        assertThat(Shuffle.order(10, 1, 0)).containsExactly(6, 4, 7, 2, 9, 1, 5, 0, 8, 3);
        assertThat(Shuffle.order(10, 1, 1)).containsExactly(7, 6, 9, 3, 4, 0, 1, 8, 2, 5);
        assertThat(Shuffle.order(10, -5, 3)).containsExactly(7, 0, 8, 4, 2, 6, 3, 5, 9, 1);
    }

    @Test
    void eachEpochHasEverySampleOnceAndAnOrderOfItsOwn() {
        BatchLoader loader = new BatchLoader(TEN, 2, true, 1, true);
        assertThat(epoch(loader, 0)).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(epoch(loader, 1))
                .containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
                .isNotEqualTo(epoch(loader, 0));
    }

    @Test
    void theSeedAloneDecidesTheOrder() {
        assertThat(epoch(new BatchLoader(TEN, 1, true, 7, true), 3))
                .isEqualTo(epoch(new BatchLoader(TEN, 1, true, 7, true), 3))
                .isNotEqualTo(epoch(new BatchLoader(TEN, 1, true, 8, true), 3));
    }

    @Test
    void aResumedRunSeesWhatItWouldHaveSeen() {
        BatchLoader whole = new BatchLoader(TEN, 3, true, 5, true);
        List<int[]> seen = new ArrayList<>();
        for (int epoch = 0; epoch < 3; epoch++) {
            for (int i = 0; i < whole.batchesPerEpoch(); i++) {
                seen.add(whole.batch(epoch, i).inputIds());
            }
        }
        for (int step = 0; step < seen.size(); step++) {
            BatchLoader resumed = new BatchLoader(TEN, 3, true, 5, true);
            for (int later = step; later < seen.size(); later++) {
                assertThat(resumed.batch(later / 3, later % 3).inputIds()).isEqualTo(seen.get(later));
            }
        }
    }

    @Test
    void withoutShufflingTheOrderIsThatOfTheFile() {
        assertThat(epoch(new BatchLoader(TEN, 3, false, 1, false), 4)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
        assertThat(epoch(new BatchLoader(TEN, 3, false, 1, true), 4)).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8);
    }

    @Test
    void tooFewSamplesForABatchAreTheUsersMistake() {
        assertThatThrownBy(() -> new BatchLoader(TEN, 11, true, 1, true))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("10 samples")
                .hasMessageContaining("batch of 11");
        assertThat(new BatchLoader(TEN, 11, true, 1, false).batch(0, 0).batchSize())
                .isEqualTo(10);
        assertThatThrownBy(() -> new BatchLoader(TEN, 0, true, 1, true)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> new BatchLoader(TEN, 2, true, 1, true).batch(0, 5))
                .isInstanceOf(IndexOutOfBoundsException.class);
    }
}
