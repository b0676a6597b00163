package dev.halftone.kernel;

import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// A [Pair] of differentiable functions, with and without their backward pass through autograd.
public abstract class FunctionPair extends Pair {
    @Param
    Pass pass;

    private List<Tensor> inputs;
    private Tensor upstream;

    abstract List<Tensor> inputs();

    abstract Tensor kernel(List<Tensor> x);

    abstract Tensor aten(List<Tensor> x);

    @Override
    final void prepare() {
        inputs = inputs();
        Tensor y = aten(inputs);
        upstream = normal(1, Torch.dtype(y), Torch.shape(y));
    }

    @Override
    final List<Tensor> kernel() {
        return run(this::kernel);
    }

    @Override
    final List<Tensor> aten() {
        return run(this::aten);
    }

    private List<Tensor> run(Function<List<Tensor>, Tensor> function) {
        if (pass == Pass.FORWARD) {
            try (NoGrad _ = NoGrad.open()) {
                return List.of(function.apply(inputs));
            }
        }
        List<Tensor> leaves =
                inputs.stream().map(x -> x.detach().requires_grad_(true)).toList();
        Ops.backward(function.apply(leaves), upstream);
        return leaves.stream().map(Tensor::grad).toList();
    }
}
