package dev.halftone.qat;

import dev.halftone.InputException;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.quant.IntxScheme;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

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
    ///     is quantized or prepared already, or the scheme cannot be trained
    public static List<QuantizedLayer> prepare(Module model, QuantizationPlan plan) {
        IntxScheme scheme = intx(plan);
        if (scheme.weightBits() == 1) {
            throw new InputException("weight_dtype: int1 cannot be trained, since its codes are -1 and 0."
                    + " Use int2 to int8, or quantize without training.");
        }
        Map<String, Linear> layers = floatLayers(model, plan, scheme);
        IntxWeightFakeQuantizer weights = new IntxWeightFakeQuantizer(scheme, plan.rule(), plan.kernels());
        layers.values().forEach(linear -> floatWeight(linear).setTransform(weights));
        setActivations(layers, plan, scheme);
        return table(layers, scheme);
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
            if (linear.weight() instanceof Parameter p && p.transform() instanceof IntxWeightFakeQuantizer q) {
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
        IntxScheme scheme = intx(plan);
        Map<String, Linear> layers = floatLayers(model, plan, scheme);
        IntxWeightFakeQuantizer weights = new IntxWeightFakeQuantizer(scheme, plan.rule(), plan.kernels());
        layers.values().forEach(linear -> linear.setWeight(weights.quantize(floatWeight(linear))));
        setActivations(layers, plan, scheme);
        return table(layers, scheme);
    }

    /// Switches the fake quantization of prepared layers on or off, for training that starts in float. Layers
    /// that are quantized already stay so.
    public static void setActive(Module model, boolean active) {
        Selection.linears(model).values().forEach(linear -> {
            if (linear.weight() instanceof Parameter p && p.transform() instanceof IntxWeightFakeQuantizer weights) {
                weights.setActive(active);
                p.changed();
                if (linear.inputTransform() instanceof Int8TokenFakeQuantizer activations) {
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
                when p.transform() instanceof IntxWeightFakeQuantizer weights -> {
                    layers++;
                    active += weights.active() ? 1 : 0;
                }
                default -> {}
            }
        }
        return layers == 0 ? 0 : (double) active / layers;
    }

    /// The layers of a plan, each of which can be quantized.
    private static Map<String, Linear> floatLayers(Module model, QuantizationPlan plan, IntxScheme scheme) {
        Map<String, Linear> layers = Selection.select(model, plan.include(), plan.exclude());
        layers.forEach((name, linear) -> {
            if (!(linear.weight() instanceof Parameter p) || p.transform() != null) {
                throw new InputException(
                        "%s is quantized or prepared already. Start from a model in float, or exclude it."
                                .formatted(name));
            }
            int group = scheme.granularity().groupSize(linear.inFeatures());
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

    private static void setActivations(Map<String, Linear> layers, QuantizationPlan plan, IntxScheme scheme) {
        if (scheme.int8Activations()) {
            Int8TokenFakeQuantizer shared = new Int8TokenFakeQuantizer(scheme.numerics(), plan.rule(), plan.kernels());
            layers.values().forEach(linear -> linear.setInputTransform(shared));
        }
    }

    private static List<QuantizedLayer> table(Map<String, Linear> layers, IntxScheme scheme) {
        List<QuantizedLayer> table = new ArrayList<>();
        layers.forEach((name, linear) -> table.add(row(name, linear, scheme)));
        return table;
    }

    private static QuantizedLayer row(String name, Linear linear, IntxScheme scheme) {
        return new QuantizedLayer(name, linear.outFeatures(), linear.inFeatures(), scheme);
    }

    private static IntxScheme intx(QuantizationPlan plan) {
        return switch (plan.scheme()) {
            case IntxScheme scheme -> scheme;
        };
    }
}
