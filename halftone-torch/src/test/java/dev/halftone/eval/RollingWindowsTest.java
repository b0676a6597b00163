package dev.halftone.eval;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.eval.RollingWindows.Window;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class RollingWindowsTest {
    private static final int PREFIX = 99;

    @Test
    void matchesTheHarnessOnTenTokensOfFour() {
        List<Window> windows = RollingWindows.of(IntStream.range(0, 10).toArray(), PREFIX, 4);
        assertThat(windows).hasSize(3);
        assertThat(windows.get(0).input()).containsExactly(PREFIX, 0, 1, 2);
        assertThat(windows.get(0).targets()).containsExactly(0, 1, 2, 3);
        assertThat(windows.get(1).input()).containsExactly(3, 4, 5, 6);
        assertThat(windows.get(1).targets()).containsExactly(4, 5, 6, 7);
        assertThat(windows.get(2).input()).containsExactly(5, 6, 7, 8);
        assertThat(windows.get(2).targets()).containsExactly(8, 9);
    }

    @Test
    void everyTokenIsPredictedOnceFromWhatStandsBeforeIt() {
        for (int length = 0; length < 40; length++) {
            for (int max = 1; max < 12; max++) {
                int[] tokens = IntStream.range(0, length).toArray();
                List<Window> windows = RollingWindows.of(tokens, PREFIX, max);
                int[] predicted = windows.stream()
                        .flatMapToInt(w -> Arrays.stream(w.targets()))
                        .toArray();
                assertThat(predicted).containsExactly(tokens);
                for (Window w : windows) {
                    assertThat(w.input().length).isLessThanOrEqualTo(max).isGreaterThanOrEqualTo(w.targets().length);
                    int offset = w.input().length - w.targets().length;
                    for (int i = 0; i < w.targets().length; i++) {
                        assertThat(w.input()[offset + i]).isEqualTo(w.targets()[i] == 0 ? PREFIX : w.targets()[i] - 1);
                    }
                }
            }
        }
    }
}
