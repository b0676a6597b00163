package dev.halftone.model;

import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The layers of a training step, forward and then backward, one at a time.
///
/// The autograd graph is cut between layers: each begins at a leaf that holds its input, and whose gradient is
/// what the layer below starts its backward pass from. So a layer's gradients are complete, and may be used up,
/// before those of the layer below exist. Those of frozen weights under adapters, which nobody keeps, never fill
/// more than a layer.
///
/// With recomputation (activation checkpointing; Chen et al. 2016) the forward pass keeps nothing but these
/// leaves, and a layer runs once more right before its backward pass, from the same input, with the same random
/// numbers and the same weights: to the same numbers, at the price of another forward pass.
///
/// Native memory is the surrounding [Scope]'s until it is freed here.
final class LayerWalk {
    /// What is kept of a layer's forward pass.
    ///
    /// @param in_BSD the leaf
    /// @param out_BSD what the layer made of it, with its graph; null where it is to run again
    /// @param random torch's random numbers before it ran; null where it need not run again
    private record Visit(
            DecoderLayer layer,
            Tensor in_BSD,
            @Nullable Tensor out_BSD,
            @Nullable Tensor random) {}

    private final Tensor x_BSD;
    private final AttentionContext context;
    private final boolean recompute;
    private final Deque<Visit> visits = new ArrayDeque<>();

    /// @param x_BSD what the first layer reads, part of an autograd graph
    LayerWalk(Tensor x_BSD, AttentionContext context, boolean recompute) {
        this.x_BSD = x_BSD;
        this.context = context;
        this.recompute = recompute;
    }

    /// @return what the last layer gives, a leaf, which is to get its gradient before [#backward]
    Tensor forward(List<DecoderLayer> layers) {
        Tensor leaf_BSD = leaf(x_BSD, x_BSD.requires_grad());
        for (DecoderLayer layer : layers) {
            Tensor random = recompute ? Torch.randomState(leaf_BSD) : null;
            Tensor out_BSD = recompute ? unrecorded(layer, leaf_BSD) : recorded(layer, leaf_BSD);
            visits.push(new Visit(layer, leaf_BSD, recompute ? null : out_BSD, random));
            leaf_BSD = leaf(out_BSD, leaf_BSD.requires_grad() || trains(layer));
        }
        return leaf_BSD;
    }

    /// Goes back down to what `x_BSD` was computed from, and collects the gradients of each layer on the way.
    ///
    /// @param top_BSD what [#forward] returned
    /// @param complete sees the parameters of each layer when their gradients are complete
    void backward(Tensor top_BSD, Consumer<Collection<Parameter>> complete) {
        Tensor random = recompute ? Torch.randomState(top_BSD) : null;
        // A gradient is its leaf's: it is gone when the leaf is closed.
        Tensor above_BSD = top_BSD;
        while (above_BSD.grad().defined() && !visits.isEmpty()) {
            Visit v = visits.pop();
            Tensor out_BSD = v.out_BSD == null ? again(v) : v.out_BSD;
            if (out_BSD.requires_grad()) {
                // The gradients that hooks give are this scope's: they need not wait for the end of the step.
                try (Scope _ = Scope.open()) {
                    Ops.backward(out_BSD, above_BSD.grad());
                }
            }
            out_BSD.close();
            above_BSD.close();
            above_BSD = v.in_BSD;
            Collection<Parameter> parameters = v.layer.allParameters().values();
            parameters.forEach(Parameter::collectGradient);
            complete.accept(parameters);
        }
        if (above_BSD.grad().defined()) {
            Ops.backward(x_BSD, above_BSD.grad());
        }
        restore(x_BSD, random);
    }

    private static void restore(Tensor like, @Nullable Tensor random) {
        if (random != null) {
            Torch.setRandomState(like, random);
        }
    }

    private Tensor again(Visit v) {
        restore(v.in_BSD, v.random);
        return recorded(v.layer, v.in_BSD);
    }

    private Tensor recorded(DecoderLayer layer, Tensor in_BSD) {
        try (Scope scope = Scope.open()) {
            return scope.keep(layer.forward(in_BSD, context));
        }
    }

    private Tensor unrecorded(DecoderLayer layer, Tensor in_BSD) {
        try (NoGrad _ = NoGrad.inTraining()) {
            return recorded(layer, in_BSD);
        }
    }

    private static Tensor leaf(Tensor t, boolean gradient) {
        return t.detach().requires_grad_(gradient);
    }

    private static boolean trains(DecoderLayer layer) {
        return layer.allParameters().values().stream().anyMatch(Parameter::trainable);
    }
}
