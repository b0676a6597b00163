package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.qat.QuantizationPlan.Rule;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Quantization of the linear layers of any module tree.
///
/// ```java
/// QuantizationPlan plan = QuantizationPlan.of(scheme).excluding("lm_head");
/// Qat.prepare(model, plan);      // forward passes now see quantized weights and activations
/// train(model);                  // the float weights behind them are trained
/// Qat.convert(model);            // codes and scales replace them: the same outputs, bit for bit
/// ```
///
/// Without training it is one step: `Qat.quantize(model, plan)`.
///
/// A tied head is quantized on its own: the embedding table that it shares its weight with stays in float, and is
/// trained through both.
public final class Qat {
    private Qat() {}

    /// Puts fake quantization into the layers that the plan matches.
    ///
    /// @return the layers, in the order of the tree
    /// @throws InputException if a glob matches nothing, a group size does not divide a layer's inputs, a layer
    ///     is quantized or prepared already, or a scheme cannot be trained
    public static List<QuantizedLayer> prepare(Module model, QuantizationPlan plan) {
        Map<String, Rule> layers = floatLayers(model, plan);
        for (Rule rule : layers.values()) {
            String why = rule.scheme().untrainable();
            if (why != null) {
                throw new InputException(why);
            }
        }
        return install(
                model, plan, layers, (linear, weights) -> floatWeight(linear).setTransform(weights));
    }

    /// Replaces the weights of prepared layers by codes and scales. What the model computes stays the same to the
    /// bit; fake quantization that was switched off counts as on.
    ///
    /// @return the layers, in the order of the tree
    /// @throws InputException if no layer is prepared
    public static List<QuantizedLayer> convert(Module model) {
        setActive(model, true);
        List<QuantizedLayer> table = new ArrayList<>();
        Set<Parameter> converted = new LinkedHashSet<>();
        Selection.linears(model).forEach((name, linear) -> {
            if (linear.weight() instanceof Parameter p && p.transform() instanceof WeightFakeQuantizer q) {
                linear.setWeight(q.quantize(p));
                converted.add(p);
                table.add(row(name, linear, q.scheme()));
            }
        });
        converted.forEach(p -> p.setTransform(null));
        if (table.isEmpty()) {
            throw new InputException("No layer of this model is prepared. Call Qat.prepare first, or Qat.quantize.");
        }
        return table;
    }

    /// Post-training quantization: the layers that the plan matches get codes and scales at once.
    ///
    /// @return the layers, in the order of the tree
    /// @throws InputException if a glob matches nothing, a group size does not divide a layer's inputs, or a
    ///     layer is quantized or prepared already
    public static List<QuantizedLayer> quantize(Module model, QuantizationPlan plan) {
        return install(
                model,
                plan,
                floatLayers(model, plan),
                (linear, weights) -> linear.setWeight(weights.quantize(floatWeight(linear))));
    }

    /// Gives quantized layers the activations of their schemes: for models that were loaded quantized.
    public static void quantizeActivations(Module model) {
        Map<Object, ActivationFakeQuantizer> shared = new HashMap<>();
        Selection.linears(model).values().forEach(linear -> {
            if (linear.weight() instanceof QuantizedWeight w) {
                setActivations(linear, w.scheme(), GradientRule.IDENTITY, null, shared);
            }
        });
    }

    /// Switches the fake quantization of prepared layers on or off, for training that starts in float. Layers
    /// that are quantized already stay so.
    public static void setActive(Module model, boolean active) {
        Selection.linears(model).values().forEach(linear -> {
            if (linear.weight() instanceof Parameter p && p.transform() instanceof WeightFakeQuantizer weights) {
                weights.setActive(active);
                p.changed();
                if (linear.inputTransform() instanceof ActivationFakeQuantizer activations) {
                    activations.setActive(active);
                }
            }
        });
    }

    /// The share of the prepared and quantized layers that quantize now, 0 to 1; 0 where there are none.
    public static double activeShare(Module model) {
        int layers = 0;
        int active = 0;
        for (Linear linear : Selection.linears(model).values()) {
            switch (linear.weight()) {
                case QuantizedWeight _ -> {
                    layers++;
                    active++;
                }
                case Parameter p
                when p.transform() instanceof WeightFakeQuantizer weights -> {
                    layers++;
                    active += weights.active() ? 1 : 0;
                }
                default -> {}
            }
        }
        return layers == 0 ? 0 : (double) active / layers;
    }

    /// The layers of a plan, each of which can be quantized.
    private static Map<String, Rule> floatLayers(Module model, QuantizationPlan plan) {
        Map<String, Rule> layers = Selection.select(model, plan);
        Map<String, Linear> linears = Selection.linears(model);
        layers.forEach((name, rule) -> {
            Linear linear = Objects.requireNonNull(linears.get(name));
            if (!(linear.weight() instanceof Parameter p) || p.transform() != null) {
                throw new InputException(
                        "%s is quantized or prepared already. Start from a model in float, or exclude it."
                                .formatted(name));
            }
            int group = rule.scheme().weights(p.dtype()).granularity().groupSize(linear.inFeatures());
            if (linear.inFeatures() % group != 0) {
                throw new InputException(
                        "groupsize: %d does not divide the %d inputs of %s. Use another, or put that layer into exclude."
                                .formatted(group, linear.inFeatures(), name));
            }
        });
        return layers;
    }

    private static Parameter floatWeight(Linear linear) {
        return (Parameter) linear.weight();
    }

    /// Gives each layer its fake quantizers; layers with the same rule share theirs.
    private static List<QuantizedLayer> install(
            Module model,
            QuantizationPlan plan,
            Map<String, Rule> layers,
            BiConsumer<Linear, WeightFakeQuantizer> weight) {
        Map<String, Linear> linears = Selection.linears(model);
        Map<Rule, WeightFakeQuantizer> weights = new HashMap<>();
        Map<Object, ActivationFakeQuantizer> activations = new HashMap<>();
        List<QuantizedLayer> table = new ArrayList<>();
        layers.forEach((name, rule) -> {
            Linear linear = Objects.requireNonNull(linears.get(name));
            weight.accept(
                    linear,
                    weights.computeIfAbsent(
                            rule, r -> new WeightFakeQuantizer(r.scheme(), r.gradient(), plan.kernels())));
            setActivations(linear, rule.scheme(), rule.gradient(), plan.kernels(), activations);
            table.add(row(name, linear, rule.scheme()));
        });
        return table;
    }

    /// @param shared by grid and gradient: layers whose inputs are mapped alike share the work
    private static void setActivations(
            Linear linear,
            QuantScheme scheme,
            GradientRule gradient,
            @Nullable Kernels kernels,
            Map<Object, ActivationFakeQuantizer> shared) {
        Grid grid = scheme.activations(DType.F32);
        if (grid != null) {
            linear.setInputTransform(shared.computeIfAbsent(
                    List.of(grid, gradient), _ -> new ActivationFakeQuantizer(scheme, gradient, kernels)));
        }
    }

    private static QuantizedLayer row(String name, Linear linear, QuantScheme scheme) {
        return new QuantizedLayer(name, linear.outFeatures(), linear.inFeatures(), scheme);
    }
}
