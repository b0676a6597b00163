package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.RowMatrix;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Optional;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A tensor that is trained or at least stored: its *master* values, and the *shadow* that a forward pass uses
/// where the two differ.
///
/// They differ when a [WeightTransform] is active (an adapter's delta, then fake quantization), or when the
/// computation runs in another dtype than the masters (float32 masters, bfloat16 products). The shadow is a leaf of
/// the autograd graph. It is computed once after each change of the masters, however many forward passes follow
/// (gradient accumulation, recomputation, evaluation), and [#collectGradient()] hands its gradient back to the
/// masters.
public final class Parameter implements Weight {
    private final Tensor master;
    private @Nullable WeightTransform adapter;
    private @Nullable WeightTransform transform;
    private DType computeDtype;
    private @Nullable Tensor shadow;
    private boolean stale = true;
    /// Whose shadow is made of these values; null where they are a weight themselves.
    private @Nullable Parameter owner;

    /// @param master the values; the parameter owns the tensor from here on
    public Parameter(Tensor master) {
        this.master = Scope.own(master);
        this.computeDtype = Torch.dtype(master);
    }

    /// The trained values, which the optimizer updates and a checkpoint stores.
    public Tensor master() {
        return master;
    }

    @Override
    public Tensor value() {
        if (!hasShadow()) {
            return master;
        }
        Tensor s = shadow;
        if (s == null || stale) {
            try (Scope _ = Scope.open();
                    NoGrad _ = NoGrad.open()) {
                Tensor v = Ops.to(transformed(), computeDtype);
                Tensor own = v.is_alias_of(master) ? v.clone() : v.detach();
                if (s == null) {
                    s = Scope.own(own);
                    s.requires_grad_(hasTrainee());
                    shadow = s;
                } else {
                    s.set_data(own);
                }
            }
            stale = false;
        }
        return s;
    }

    private boolean hasShadow() {
        return computeDtype != Torch.dtype(master) || active(transform) != null || active(adapter) != null;
    }

    private Tensor transformed() {
        Tensor w = used();
        WeightTransform t = active(transform);
        return t == null ? w : t.forward(w, hasTrainee());
    }

    /// The trained values, with the adapter's delta where forward passes use it.
    private Tensor used() {
        WeightTransform a = active(adapter);
        return a == null ? master.detach() : a.forward(master.detach(), hasTrainee());
    }

    private static @Nullable WeightTransform active(@Nullable WeightTransform t) {
        return t != null && t.active() ? t : null;
    }

    /// {@inheritDoc}
    ///
    /// It is what is quantized, too.
    @Override
    public Tensor adapted() {
        WeightTransform a = adapter;
        return a == null ? master.detach() : a.forward(master.detach(), false);
    }

    /// Whether the shadow depends on these values. That of a frozen weight beside a separate adapter does not.
    private boolean isMadeOf(Parameter p) {
        return Stream.of(active(adapter), active(transform))
                .anyMatch(t -> t != null && t.parameters().containsValue(p));
    }

    /// Whether a gradient of the shadow is of any use.
    private boolean hasTrainee() {
        return trainable() || trains(active(transform)) || trains(active(adapter));
    }

    private static boolean trains(@Nullable WeightTransform t) {
        return t != null && t.parameters().values().stream().anyMatch(Parameter::trainable);
    }

    @Override
    public Optional<RowMatrix> row() {
        return RowMatrix.of(value());
    }

    @Override
    public long[] shape() {
        return Torch.shape(master);
    }

    @Override
    public DType dtype() {
        return Torch.dtype(master);
    }

    @Override
    public DType computeDtype() {
        return computeDtype;
    }

    public @Nullable WeightTransform transform() {
        return transform;
    }

    public void setTransform(@Nullable WeightTransform transform) {
        this.transform = transform;
        if (transform != null) {
            transform.parameters().values().forEach(p -> p.owner = this);
        }
        dropShadow();
    }

    @Override
    public @Nullable WeightTransform adapter() {
        return adapter;
    }

    /// Sets what is added to the trained values before the transform sees them.
    public void setAdapter(@Nullable WeightTransform adapter) {
        this.adapter = adapter;
        if (adapter != null) {
            adapter.parameters().values().forEach(p -> p.owner = this);
        }
        dropShadow();
    }

    /// Sets the dtype of [#value()], for products in another precision than that of the masters.
    public void setComputeDtype(DType dtype) {
        computeDtype = dtype;
        dropShadow();
    }

    public boolean trainable() {
        return master.requires_grad();
    }

    public void setTrainable(boolean trainable) {
        master.requires_grad_(trainable);
        dropShadow();
        if (owner != null) {
            owner.dropShadow();
        }
    }

    /// To be called after the masters changed, or a transform was switched on or off.
    public void changed() {
        stale = true;
        if (owner != null && owner.isMadeOf(this)) {
            owner.changed();
        }
    }

    /// Adds the shadow's gradient, through the transform's backward, to the gradient of the masters, and clears
    /// it. To be called after each backward pass.
    public void collectGradient() {
        Tensor s = shadow;
        if (s == null || !s.grad().defined()) {
            return;
        }
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor g = Ops.to(s.grad(), Torch.dtype(master));
            WeightTransform t = active(transform);
            if (t != null) {
                g = t.backward(this::used, g);
            }
            WeightTransform a = active(adapter);
            if (a != null) {
                g = a.backward(master::detach, g);
            }
            if (trainable()) {
                addGradient(g);
            }
            s.mutable_grad().reset();
        }
    }

    /// Adds to the gradient of the masters.
    ///
    /// @param gradient of their shape and dtype; may become theirs
    public void addGradient(Tensor gradient) {
        if (master.grad().defined()) {
            master.grad().add_(gradient);
        } else {
            master.mutable_grad().put(gradient);
        }
    }

    /// Gradient of the masters, or null before the first backward pass.
    public @Nullable Tensor gradient() {
        Tensor g = master.grad();
        return g.defined() ? g : null;
    }

    public void clearGradient() {
        try (Scope _ = Scope.open()) {
            master.mutable_grad().reset();
        }
    }

    @Override
    public void close() {
        closeTransform();
        if (adapter != null) {
            adapter.parameters().values().forEach(Parameter::close);
        }
        dropShadow();
        master.close();
    }

    /// Removes the transform and frees what it trained.
    public void closeTransform() {
        WeightTransform t = transform;
        if (t != null) {
            t.parameters().values().forEach(Parameter::close);
            setTransform(null);
        }
    }

    private void dropShadow() {
        Tensor s = shadow;
        if (s != null) {
            s.close();
        }
        shadow = null;
        stale = true;
    }
}
