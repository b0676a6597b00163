package dev.halftone.kernel;

import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BinaryOperator;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.TensorTensorHook;
import org.jspecify.annotations.Nullable;

/// Java functions in the backward pass.
final class Hooks {
    /// libtorch holds only an address: without these the collector would take a hook that has yet to run.
    private static final Set<TensorTensorHook> WAITING =
            Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));

    /// Hooks that have run. They cannot be freed while libtorch is still in them.
    private static final Queue<TensorTensorHook> DONE = new ConcurrentLinkedQueue<>();

    private Hooks() {}

    /// Replaces the gradient that arrives at `y`, in the one backward pass that `y` takes part in.
    ///
    /// @param x values that the function wants to see again; kept until then
    /// @param gradient of the values and the gradient that arrived
    static void onGradient(Tensor y, Tensor x, BinaryOperator<Tensor> gradient) {
        Tensor kept = Scope.own(x);
        onGradient(y, upstream -> {
            try (kept) {
                return gradient.apply(kept, upstream);
            }
        });
    }

    /// Replaces the gradient that arrives at `x` by one that is computed from the gradient that arrived at `y`, in the
    /// one backward pass that both take part in.
    ///
    /// @param x what `y` was computed from
    /// @param gradient from that of `y` to that of `x`, of its shape and dtype
    static void onGradients(Tensor y, Tensor x, UnaryOperator<Tensor> gradient) {
        AtomicReference<@Nullable Tensor> arrived = new AtomicReference<>();
        onGradient(y, upstream -> {
            arrived.set(Scope.own(upstream.detach()));
            return upstream;
        });
        onGradient(x, _ -> {
            try (Tensor upstream = Objects.requireNonNull(arrived.getAndSet(null))) {
                return gradient.apply(upstream);
            }
        });
    }

    /// Replaces the gradient that arrives at `t`, in the one backward pass that `t` takes part in.
    static void onGradient(Tensor t, UnaryOperator<Tensor> gradient) {
        freeDone();
        TensorTensorHook hook = new TensorTensorHook() {
            @Override
            public TensorBase call(TensorBase upstream) {
                WAITING.remove(this);
                DONE.add(this);
                try (Scope scope = Scope.open();
                        NoGrad _ = NoGrad.open()) {
                    return scope.keep(gradient.apply(new Tensor(upstream)));
                }
            }
        };
        WAITING.add(Scope.own(hook));
        t.register_hook(hook);
    }

    /// A forward pass registers hooks, and no backward pass runs meanwhile.
    private static void freeDone() {
        for (TensorTensorHook hook = DONE.poll(); hook != null; hook = DONE.poll()) {
            hook.close();
        }
    }
}
