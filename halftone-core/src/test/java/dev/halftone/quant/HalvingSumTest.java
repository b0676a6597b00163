package dev.halftone.quant;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class HalvingSumTest {
    @Test
    void theSecondHalfIsAddedToTheFirst() {
        float big = 0x1p24f;
        // (big + -big) + (1 + 1), where one after the other would lose the ones.
        assertThat(HalvingSum.of(new float[] {big, 1, -big, 1}, 0, 4)).isEqualTo(2);
        assertThat(HalvingSum.of(new float[] {1, 2, 3, 4, 5, 6, 7}, 0, 7)).isEqualTo(28);
        assertThat(HalvingSum.of(new float[] {9, 1, 2, 9}, 1, 3)).isEqualTo(3);
        assertThat(HalvingSum.of(new float[] {5}, 0, 1)).isEqualTo(5);
    }

    @Test
    void valuesAreLeftAsTheyAre() {
        float[] v = {1, 2, 3};
        HalvingSum.of(v, 0, 3);
        assertThat(v).containsExactly(1, 2, 3);
    }
}
