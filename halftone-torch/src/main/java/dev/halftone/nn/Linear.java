package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.kernel.Products;
import dev.halftone.kernel.RowMatrix;
import dev.halftone.kernel.RowOps;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// `y = x · Wᵀ + b`, the one place where a weight meets an input.
///
/// The weight is what [Weight#value()] makes of it, or stays packed ([PackedWeight]); the input passes through the
/// [ActivationTransform] where there is one. `prepare` sets both stages, `convert` replaces the weight by codes and
/// scales; the layer itself stays the same.
public final class Linear extends Module implements WeightedLayer {
    private Weight weight;
    private final @Nullable Parameter bias;
    private @Nullable ActivationTransform inputTransform;
    private @Nullable UnaryOperator<Tensor> branch;

    /// @param weight_NK `[out_features, in_features]`
    /// @param bias_N `[out_features]`, or null
    public Linear(Weight weight_NK, @Nullable Parameter bias_N) {
        setWeight(weight_NK);
        bias = bias_N == null ? null : parameter("bias", bias_N);
    }

    /// The layer whose `weight` and, where it has one, `bias` this source holds.
    public static Linear of(ParameterSource source, long inFeatures, long outFeatures, boolean bias) {
        return new Linear(
                source.weight("weight", outFeatures, inFeatures), bias ? source.parameter("bias", outFeatures) : null);
    }

    /// @param x `[…, K]`
    /// @return `[…, N]` in the dtype of the product, which is that of [Weight#value()]
    public Tensor forward(Tensor x) {
        return withBranch(product(transformed(x)), x);
    }

    /// The outputs of several layers for the same input. Where they share one input stage it runs once: the same
    /// numbers as one [#forward] each, at a fraction of the price.
    @SuppressWarnings("ReferenceEquality") // one stage, not an equal one
    public static Tensor[] forwardAll(Tensor x, Linear... layers) {
        Tensor[] outputs = new Tensor[layers.length];
        Tensor first = layers[0].transformed(x);
        for (int i = 0; i < layers.length; i++) {
            boolean shared = layers[i].inputTransform == layers[0].inputTransform;
            Tensor y = layers[i].product(shared ? first : layers[i].transformed(x));
            outputs[i] = layers[i].withBranch(y, x);
        }
        return outputs;
    }

    /// [#forwardAll] for a single row. Through tensors, where a layer has an adapter at its side or a weight that no
    /// kernel multiplies by.
    ///
    /// @return from `[K]` to `[N]` for each layer
    @SuppressWarnings("ReferenceEquality") // one stage, not an equal one
    public static Function<float[], float[][]> row(Linear... layers) {
        ActivationTransform stage = layers[0].inputTransform;
        RowMatrix[] matrices = new RowMatrix[layers.length];
        float[][] biases = new float[layers.length][];
        for (int i = 0; i < layers.length; i++) {
            Linear layer = layers[i];
            Optional<RowMatrix> matrix = layer.weight.row();
            if (matrix.isEmpty() || layer.branch != null || layer.inputTransform != stage) {
                return x -> throughTensors(x, layers);
            }
            matrices[i] = matrix.get();
            biases[i] = layer.bias == null ? new float[0] : Torch.floats(layer.bias.value());
        }
        return x -> {
            float[][] y = RowMatrix.multiply(stage != null && stage.active() ? staged(x, stage) : x, matrices);
            for (int i = 0; i < y.length; i++) {
                y[i] = biases[i].length == 0 ? y[i] : RowOps.add(y[i], biases[i]);
            }
            return y;
        };
    }

    private static float[] staged(float[] x, ActivationTransform stage) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return Torch.floats(stage.forward(Torch.of(x, 1, 1, x.length)));
        }
    }

    private static float[][] throughTensors(float[] x, Linear... layers) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor[] y = forwardAll(Torch.of(x, 1, 1, x.length), layers);
            return Arrays.stream(y).map(Torch::floats).toArray(float[][]::new);
        }
    }

    private Tensor transformed(Tensor x) {
        ActivationTransform t = inputTransform;
        return t != null && t.active() ? t.forward(x) : x;
    }

    private Tensor withBranch(Tensor y, Tensor x) {
        return branch == null ? y : y.add(branch.apply(x.to(y)));
    }

    private Tensor product(Tensor x) {
        Tensor bias_N = bias == null ? null : bias.value();
        if (weight instanceof PackedWeight packed) {
            return packed.product(x, bias_N);
        }
        Tensor w_NK = weight.value();
        return Products.linear(x.to(w_NK), w_NK, bias_N);
    }

    @Override
    protected void closeWeights() {
        super.closeWeights();
        weight.close();
    }

    @Override
    public Weight weight() {
        return weight;
    }

    @Override
    public void setWeight(Weight weight) {
        this.weight = weight;
        if (weight instanceof Parameter p) {
            parameter("weight", p);
        } else {
            removeParameter("weight");
        }
    }

    public @Nullable Parameter bias() {
        return bias;
    }

    public @Nullable ActivationTransform inputTransform() {
        return inputTransform;
    }

    /// Sets the stage that inputs pass through; layers given the same object share its work in [#forwardAll].
    public void setInputTransform(@Nullable ActivationTransform transform) {
        inputTransform = transform;
    }

    /// Sets what is computed from the input as it arrives and added to the output: `[…, K]` to `[…, N]`, in the
    /// dtype of the product.
    public void setBranch(@Nullable UnaryOperator<Tensor> branch) {
        this.branch = branch;
    }

    /// Sets the dtype of the product where it differs from that of the trained weight: float32 masters, bfloat16
    /// products.
    public void setComputeDtype(DType dtype) {
        if (weight instanceof Parameter p) {
            p.setComputeDtype(dtype);
        }
        if (bias != null) {
            bias.setComputeDtype(dtype);
        }
    }
}
