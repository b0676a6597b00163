package dev.halftone.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.torch.Torch;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ParallelTest {
    private static final int LARGE = 1 << 20;

    private final int threads = Torch.threads();

    @AfterEach
    void restoreThreads() {
        Torch.setThreads(threads);
    }

    @Test
    void everyItemIsRunOnce() {
        for (int n : new int[] {1, 2, 5, 3}) {
            Torch.setThreads(n);
            for (int items : new int[] {1, 2, 7, 1000}) {
                for (int round = 0; round < 50; round++) {
                    assertThat(runs(items, LARGE)).containsOnly(1).hasSize(items);
                }
            }
        }
    }

    @Test
    void aThreadThatWaitsForAnotherMeetsIt() {
        Torch.setThreads(2);
        Set<Thread> met = ConcurrentHashMap.newKeySet();
        // A piece that is not run by a second thread would wait here for good.
        Parallel.run(8, LARGE, (_, _) -> {
            met.add(Thread.currentThread());
            while (met.size() < 2) {
                Thread.onSpinWait();
            }
        });
        assertThat(met).hasSize(2);
    }

    @Test
    void threadsThatSleepAreWoken() throws InterruptedException {
        for (int i = 0; i < 20; i++) {
            Thread.sleep(2);
            aThreadThatWaitsForAnotherMeetsIt();
        }
    }

    @Test
    void smallWorkStaysOnItsThread() {
        Torch.setThreads(4);
        Set<Thread> met = ConcurrentHashMap.newKeySet();
        Parallel.run(100, 1, (_, _) -> met.add(Thread.currentThread()));
        assertThat(met).containsExactly(Thread.currentThread());
    }

    @Test
    void loopsWithinLoopsAndBesideThemRunToo() {
        Torch.setThreads(3);
        AtomicIntegerArray inner = new AtomicIntegerArray(64);
        IntStream.range(0, 4)
                .parallel()
                .forEach(_ -> Parallel.run(16, LARGE, (from, to) -> {
                    for (int i = from; i < to; i++) {
                        Parallel.run(
                                64,
                                LARGE,
                                (first, end) -> IntStream.range(first, end).forEach(inner::incrementAndGet));
                    }
                }));
        assertThat(IntStream.range(0, 64).map(inner::get)).containsOnly(64);
    }

    @Test
    void whatAPieceThrowsIsThrownAndTheNextLoopRuns() {
        Torch.setThreads(3);
        assertThatThrownBy(() -> Parallel.run(100, LARGE, (from, _) -> {
                    if (from > 50) {
                        throw new IllegalStateException("piece");
                    }
                }))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("piece");
        assertThat(runs(100, LARGE)).containsOnly(1);
    }

    private static int[] runs(int items, int size) {
        AtomicIntegerArray runs = new AtomicIntegerArray(items);
        Parallel.run(items, size, (from, to) -> IntStream.range(from, to).forEach(runs::incrementAndGet));
        return IntStream.range(0, items).map(runs::get).toArray();
    }
}
