package dev.halftone.cli;

import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/// Lets a training run end well when somebody presses Ctrl-C: the JVM waits until it has saved a checkpoint.
///
/// The JVM answers the signal by running its shutdown hooks, and ends when they have. So a hook asks the run to stop,
/// and waits for it.
final class Interruption {
    private static volatile @Nullable Interruption current;

    private final Console console;
    private final CountDownLatch finished = new CountDownLatch(1);
    private final Thread hook = new Thread(this::stop, "interruption");
    private volatile boolean requested;

    private Interruption(Console console) {
        this.console = console;
    }

    /// From now on a signal only asks for a stop.
    static void defer(Console console) {
        Interruption interruption = new Interruption(console);
        current = interruption;
        Runtime.getRuntime().addShutdownHook(interruption.hook);
    }

    static boolean requested() {
        Interruption interruption = current;
        return interruption != null && interruption.requested;
    }

    /// The command has said its last word: signals end the process again.
    static void finished() {
        Interruption interruption = current;
        if (interruption == null) {
            return;
        }
        current = null;
        interruption.finished.countDown();
        try {
            boolean _ = Runtime.getRuntime().removeShutdownHook(interruption.hook);
        } catch (IllegalStateException _) {
            // The signal came: the hook runs, and now ends.
        }
    }

    private void stop() {
        requested = true;
        console.err().println();
        console.err().println("Stopping after this step, to save a checkpoint …");
        try {
            finished.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
