package dev.halftone.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class BatchTest {
    @Test
    void shorterRowsArePaddedOnTheRight() {
        Batch batch =
                Batch.of(List.of(new Sample(new int[] {5, 6}, new int[] {-100, 6}), new Sample(new int[] {7, 8, 9})));
        assertThat(batch.batchSize()).isEqualTo(2);
        assertThat(batch.seqLen()).isEqualTo(3);
        assertThat(batch.inputIds()).containsExactly(5, 6, 0, 7, 8, 9);
        assertThat(batch.labels()).containsExactly(-100, 6, -100, 7, 8, 9);
        assertThat(batch.positions()).containsExactly(0, 1, 2, 0, 1, 2);
        assertThat(batch.documents()).containsExactly(0, 0, Batch.PADDING, 0, 0, 0);
    }

    @Test
    void positionsStartAnewWithEachDocumentOfARow() {
        Sample row = new Sample(new int[] {1, 2, 3, 4, 5, 0, 0}, new int[7], new int[] {3, 2});
        Batch batch = Batch.of(List.of(row));
        assertThat(batch.positions()).containsExactly(0, 1, 2, 0, 1, 2, 3);
        assertThat(batch.documents()).containsExactly(0, 0, 0, 1, 1, -1, -1);
    }

    @Test
    void impossibleSamplesAreRefused() {
        assertThatThrownBy(() -> new Sample(new int[0])).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Sample(new int[2], new int[3])).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Sample(new int[2], new int[2], new int[] {1, 2}))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
