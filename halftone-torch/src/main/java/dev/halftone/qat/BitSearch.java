package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.WeightedLayer;
import dev.halftone.qat.QuantizationPlan.Rule;
import dev.halftone.quant.IntxScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Mixed precision: a width for each layer, chosen so that the loss suffers least for a given size.
///
/// **Sensitivity.** To second order, replacing the weights `w` of a layer by `ŵ` costs `½ (ŵ - w)ᵀ H (ŵ - w)` of loss.
/// The Hessian is approximated by the squares of the gradient, its diagonal in the empirical Fisher information, as in
/// Kim et al., SqueezeLLM (2023): `Σ g² (ŵ - w)²`, for every layer and every width. One backward pass gives all `g`.
///
/// **Choice.** Minimise the sum of the costs under the size, by a price on a bit: each layer takes the width with the
/// smallest cost plus price. The price is found by bisection (Everett 1963, generalised Lagrange multipliers). What
/// comes out is the best possible for the size that it has, which lies below the one asked for by less than a layer.
public final class BitSearch {
    /// Halvings of the interval in which the logarithm of the price lies.
    private static final int BISECTIONS = 80;

    /// A layer, its weights, and what each width costs.
    private record Candidate(String layer, long weights, Map<Integer, Double> cost) {
        /// The width that is best at a price; the narrower where two are.
        int width(double price) {
            int best = 0;
            double least = Double.POSITIVE_INFINITY;
            for (Map.Entry<Integer, Double> e : cost.entrySet()) {
                double total = e.getValue() + price * e.getKey() * weights;
                if (total < least) {
                    least = total;
                    best = e.getKey();
                }
            }
            return best;
        }
    }

    private BitSearch() {}

    /// Widths of 2 to 8 bits for the layers that a rule means. Their weights must have gradients: those of some batches
    /// of the data that the model is for ([Parameter#gradient()]), in float, before anything is prepared.
    ///
    /// @param rule whose scheme has the granularity, activations and numerics that all widths share
    /// @param averageBits of all weights of these layers together, at most; scales do not count
    /// @return rules with the same gradient, one for each width that is used, narrowest first
    /// @throws InputException if a glob matches nothing, or the scheme is not intN
    public static List<Rule> search(Module model, Rule rule, double averageBits, @Nullable Kernels kernels) {
        if (!(rule.scheme() instanceof IntxScheme scheme)) {
            throw new InputException("mixed_bits: only intN weights have widths to choose from, and %s is none."
                    .formatted(rule.scheme().label()));
        }
        Map<String, WeightedLayer> layers = Selection.layers(model);
        List<Candidate> candidates = new ArrayList<>();
        for (String name : Selection.select(model, new QuantizationPlan(List.of(rule), kernels))
                .keySet()) {
            Parameter p = (Parameter) Objects.requireNonNull(layers.get(name)).weight();
            candidates.add(new Candidate(name, p.master().numel(), costs(p, scheme, kernels)));
        }
        double price = price(candidates, averageBits);
        Map<Integer, List<String>> byWidth = new TreeMap<>();
        for (Candidate c : candidates) {
            byWidth.computeIfAbsent(c.width(price), _ -> new ArrayList<>()).add(c.layer);
        }
        return byWidth.entrySet().stream()
                .map(e -> new Rule(width(scheme, e.getKey()), e.getValue(), List.of(), rule.gradient()))
                .toList();
    }

    /// The smallest price at which the layers are not too large.
    private static double price(List<Candidate> candidates, double averageBits) {
        double low = -200;
        double high = 200;
        for (int i = 0; i < BISECTIONS; i++) {
            double middle = (low + high) / 2;
            if (average(candidates, Math.exp(middle)) > averageBits) {
                low = middle;
            } else {
                high = middle;
            }
        }
        return Math.exp(high);
    }

    private static double average(List<Candidate> candidates, double price) {
        double bits = 0;
        double weights = 0;
        for (Candidate c : candidates) {
            bits += (double) c.width(price) * c.weights;
            weights += c.weights;
        }
        return bits / weights;
    }

    private static Map<Integer, Double> costs(Parameter p, IntxScheme scheme, @Nullable Kernels kernels) {
        Tensor gradient = Objects.requireNonNull(p.gradient(), "a backward pass comes first");
        Map<Integer, Double> costs = new LinkedHashMap<>();
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor w = p.master().detach();
            Tensor g = Ops.to(gradient, DType.F32);
            for (int bits = 2; bits <= 8; bits++) {
                try (Scope _ = Scope.open()) {
                    Tensor quantized = Kernels.of(kernels, width(scheme, bits).weights(Torch.dtype(w)), w)
                            .fakeQuantized(w);
                    Tensor moved = Ops.to(quantized, DType.F32)
                            .sub(Ops.to(w, DType.F32))
                            .mul(g);
                    costs.put(bits, moved.mul(moved).sum().item_double());
                }
            }
        }
        return costs;
    }

    private static IntxScheme width(IntxScheme scheme, int bits) {
        return new IntxScheme(bits, scheme.granularity(), scheme.int8Activations(), scheme.numerics());
    }
}
