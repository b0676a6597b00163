package dev.halftone.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class NearestTest {
    @Test
    void countsSwappedNeighboursAsOneEdit() {
        assertThat(Nearest.distance("packed", "pakced")).isEqualTo(1);
        assertThat(Nearest.distance("batch-size", "Batch_Size")).isZero();
        assertThat(Nearest.distance("", "abc")).isEqualTo(3);
        assertThat(Nearest.distance("kitten", "sitting")).isEqualTo(3);
    }

    @Test
    void suggestsTheNearestOrAllOfThem() {
        assertThat(Nearest.hint("epoch", List.of("epochs", "dtype"))).isEqualTo(" Did you mean 'epochs'?");
        assertThat(Nearest.hint("zzzzz", List.of("epochs", "dtype"))).isEqualTo(" Use one of: dtype, epochs.");
        assertThat(Nearest.hint("x", List.of())).isEmpty();
    }
}
