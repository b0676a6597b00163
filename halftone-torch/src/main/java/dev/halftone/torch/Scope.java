package dev.halftone.torch;

import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;

/// A stretch of work whose native memory is freed when it ends.
///
/// Tensors are freed when their scope closes, not when the collector finds them: a training step without a scope leaks
/// gigabytes. So every step, every evaluated window and every generated token runs inside one:
///
/// ```java
/// try (Scope scope = Scope.open()) {
///     Tensor h_BSD = model.hidden(ids_BS);           // freed at the end of the block
///     return scope.keep(model.logits(h_BSD));        // outlives it
/// }
/// ```
///
/// Closing drops *this handle's* reference; memory that autograd, a parameter or another handle still needs lives on.
/// A scope belongs to the thread that opened it, and scopes nest.
public final class Scope implements AutoCloseable {
    private final PointerScope scope = new PointerScope();

    private Scope() {}

    public static Scope open() {
        Torch.load();
        return new Scope();
    }

    /// Takes `pointer` out of this scope, which must be the innermost one: it passes to the scope around this one, or,
    /// where there is none, lives until it is closed or the collector finds it.
    public <T extends Pointer> T keep(T pointer) {
        var scopes = PointerScope.getScopeIterator();
        scopes.next();
        if (scopes.hasNext()) {
            scopes.next().attach(pointer);
        } else {
            pointer.retainReference();
        }
        scope.detach(pointer);
        return pointer;
    }

    /// Takes `pointer`, made in the innermost scope, out of every scope: for what a model or an optimizer owns for as
    /// long as it lives.
    public static <T extends Pointer> T own(T pointer) {
        PointerScope inner = PointerScope.getInnerScope();
        if (inner != null) {
            // Detaching gives up the scope's reference: without one of our own it would free the pointer.
            pointer.retainReference();
            inner.detach(pointer);
        }
        return pointer;
    }

    @Override
    public void close() {
        scope.close();
    }
}
