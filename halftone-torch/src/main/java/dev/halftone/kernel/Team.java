package dev.halftone.kernel;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;

/// Threads that share short jobs with the one that has them.
///
/// A token of a small model is a hundred jobs of 50 µs each, and waking a thread takes as long as one of them. So a
/// thread without work looks for more for a while before it sleeps, and nobody waits for one that still sleeps: each
/// takes pieces of the job until none is left.
final class Team {
    /// How long a thread looks for the next job before it sleeps, in nanoseconds: longer than what a token does between
    /// two of them.
    private static final long PATIENCE = 100_000;

    private final List<Worker> workers = new ArrayList<>();
    private volatile @Nullable Job job;

    /// Runs the pieces 0 to `pieces - 1`, the calling thread among those that do. One caller at a time.
    ///
    /// @throws RuntimeException or Error, that of a piece
    void run(int threads, int pieces, IntConsumer piece) {
        while (workers.size() < threads - 1) {
            workers.add(new Worker(workers.size()));
        }
        Job next = new Job(threads - 1, pieces, piece);
        job = next;
        for (Worker w : workers.subList(0, threads - 1)) {
            w.wake();
        }
        next.help();
        next.await();
        job = null;
    }

    private static final class Job {
        private final int helpers;
        private final int pieces;
        private final IntConsumer piece;
        private final AtomicInteger next = new AtomicInteger();
        private final AtomicInteger done = new AtomicInteger();
        private final AtomicReference<Throwable> failure = new AtomicReference<>();

        /// @param helpers workers that may help
        Job(int helpers, int pieces, IntConsumer piece) {
            this.helpers = helpers;
            this.pieces = pieces;
            this.piece = piece;
        }

        void help() {
            for (int i = next.getAndIncrement(); i < pieces; i = next.getAndIncrement()) {
                try {
                    piece.accept(i);
                } catch (RuntimeException | Error e) {
                    failure.compareAndSet(null, e);
                } finally {
                    done.incrementAndGet();
                }
            }
        }

        /// Waits for the pieces that others have begun.
        void await() {
            long start = System.nanoTime();
            while (done.get() < pieces) {
                if (System.nanoTime() - start < PATIENCE) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.parkNanos(this, PATIENCE / 10);
                }
            }
            switch (failure.get()) {
                case null -> {}
                case Error e -> throw e;
                case Throwable e -> throw (RuntimeException) e;
            }
        }
    }

    private final class Worker implements Runnable {
        private final int index;
        private final Thread thread;
        private volatile boolean asleep;

        Worker(int index) {
            this.index = index;
            thread =
                    Thread.ofPlatform().daemon().name("halftone-" + (index + 1)).start(this);
        }

        void wake() {
            if (asleep) {
                LockSupport.unpark(thread);
            }
        }

        @Override
        public void run() {
            Job last = null;
            long idleSince = System.nanoTime();
            while (true) {
                Job now = job;
                if (now != null && now != last && index < now.helpers) {
                    last = now;
                    now.help();
                    idleSince = System.nanoTime();
                } else if (System.nanoTime() - idleSince < PATIENCE) {
                    Thread.onSpinWait();
                } else {
                    last = null;
                    asleep = true;
                    if (job == now) {
                        LockSupport.park(Team.this);
                    }
                    asleep = false;
                    idleSince = System.nanoTime();
                }
            }
        }
    }
}
