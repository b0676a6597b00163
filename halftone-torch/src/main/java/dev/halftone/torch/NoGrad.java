package dev.halftone.torch;

import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.GradMode;

/// A stretch in which autograd records nothing, on this thread.
public final class NoGrad implements AutoCloseable {
    private static final ThreadLocal<Boolean> TRAINING = ThreadLocal.withInitial(() -> false);

    private final AutoGradMode mode;
    private final boolean before;

    private NoGrad(boolean training) {
        Torch.load();
        mode = Scope.own(new AutoGradMode(false));
        before = TRAINING.get();
        TRAINING.set(training);
    }

    public static NoGrad open() {
        return new NoGrad(false);
    }

    /// A stretch of a training step that will run again, recorded: dropout applies.
    public static NoGrad inTraining() {
        return new NoGrad(true);
    }

    /// Whether what runs now is part of a training step: recorded, or going to be.
    public static boolean trains() {
        return GradMode.is_enabled() || TRAINING.get();
    }

    @Override
    public void close() {
        mode.close();
        TRAINING.set(before);
    }
}
