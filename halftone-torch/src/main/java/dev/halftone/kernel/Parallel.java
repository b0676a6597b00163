package dev.halftone.kernel;

import dev.halftone.torch.Torch;
import java.util.concurrent.atomic.AtomicBoolean;

/// Loops over as many threads as libtorch uses for its operators.
final class Parallel {
    /// Below this many elements a thread, waking it costs more than it saves.
    private static final int GRAIN = 1 << 15;

    /// Pieces for each thread: one that comes late, since it slept or another program had its processor, leaves more of
    /// them to the others.
    private static final int PIECES = 4;

    private static final Team TEAM = new Team();
    private static final AtomicBoolean BUSY = new AtomicBoolean();

    private Parallel() {}

    /// Part of the work: items `from` to `to - 1`.
    interface Range {
        void run(int from, int to);
    }

    /// Cuts `[0, items)` into ranges and runs them all. On the calling thread alone where there is too little to do, or
    /// the other threads are at work already.
    ///
    /// @param size elements in an item
    static void run(int items, int size, Range work) {
        int threads = (int) Math.min(Torch.threads(), Math.max(1, (long) items * size / GRAIN));
        if (threads <= 1 || items <= 1 || !BUSY.compareAndSet(false, true)) {
            work.run(0, items);
            return;
        }
        try {
            int pieces = Math.min(items, threads * PIECES);
            TEAM.run(
                    threads,
                    pieces,
                    i -> work.run((int) ((long) items * i / pieces), (int) ((long) items * (i + 1) / pieces)));
        } finally {
            BUSY.set(false);
        }
    }
}
