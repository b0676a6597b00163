package dev.halftone.torch;

import org.bytedeco.pytorch.AutoGradMode;
import org.bytedeco.pytorch.GradMode;

/// A stretch in which autograd records nothing, on this thread.
public final class NoGrad implements AutoCloseable {
    private final AutoGradMode mode;

    private NoGrad(AutoGradMode mode) {
        this.mode = mode;
    }

    public static NoGrad open() {
        Torch.load();
        return new NoGrad(Scope.own(new AutoGradMode(false)));
    }

    @Override
    public void close() {
        mode.close();
    }

    /// Whether autograd records what is computed now.
    public static boolean isOff() {
        return GradMode.is_enabled();
    }
}
