package dev.halftone.kernel;

import dev.halftone.torch.Torch;
import java.util.stream.IntStream;

/// Loops over as many threads as libtorch uses for its operators.
final class Parallel {
    /// Below this many elements a thread, waking it costs more than it saves.
    private static final int GRAIN = 1 << 15;

    private Parallel() {}

    /// Part of the work: items `from` to `to - 1`.
    interface Range {
        void run(int from, int to);
    }

    /// Cuts `[0, items)` into one range for each thread and runs them all.
    ///
    /// @param size elements in an item
    static void run(int items, int size, Range work) {
        int parts = (int) Math.min(Math.min(Torch.threads(), items), Math.max(1, (long) items * size / GRAIN));
        if (parts <= 1) {
            work.run(0, items);
            return;
        }
        IntStream.range(0, parts)
                .parallel()
                .forEach(i -> work.run((int) ((long) items * i / parts), (int) ((long) items * (i + 1) / parts)));
    }
}
