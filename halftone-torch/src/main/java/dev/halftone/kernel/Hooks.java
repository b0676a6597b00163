package dev.halftone.kernel;

import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.function.BinaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorBase;
import org.bytedeco.pytorch.TensorTensorHook;

/// Java functions in the backward pass.
final class Hooks {
    /// libtorch holds only an address: without these the collector would take a hook that has yet to run.
    private static final Set<TensorTensorHook> WAITING =
            Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));

    private Hooks() {}

    /// Replaces the gradient that arrives at `y`, in the one backward pass that `y` takes part in.
    ///
    /// @param x values that the function wants to see again; kept until then
    /// @param gradient of the values and the gradient that arrived
    static void onGradient(Tensor y, Tensor x, BinaryOperator<Tensor> gradient) {
        Tensor kept = Scope.own(x);
        TensorTensorHook hook = new TensorTensorHook() {
            @Override
            public TensorBase call(TensorBase upstream) {
                WAITING.remove(this);
                try (Scope scope = Scope.open();
                        NoGrad _ = NoGrad.open()) {
                    return scope.keep(gradient.apply(kept, new Tensor(upstream)));
                } finally {
                    kept.close();
                }
            }
        };
        WAITING.add(Scope.own(hook));
        y.register_hook(hook);
    }
}
