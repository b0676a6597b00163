package dev.halftone.qat;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.WeightedLayer;
import dev.halftone.qat.QuantizationPlan.Rule;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Quantization of the linear layers, and where asked the embeddings, of any module tree.
///
/// ```java
/// QuantizationPlan plan = QuantizationPlan.of(scheme).excluding("lm_head");
/// Qat.prepare(model, plan);      // forward passes now see quantized weights and activations
/// train(model);                  // the float weights behind them are trained
/// Qat.convert(model);            // codes and scales replace them: the same outputs, bit for bit
/// ```
///
/// Without training it is one step: `Qat.quantize(model, plan)`. Where a scheme's activations are static, their scales
/// are found after the first step of either: [InputCalibration].
///
/// A tied head may be quantized on its own: the embedding table that it shares its weight with then stays in float, and
/// is trained through both. Where the table is quantized, the head is too: one table, one grid.
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
        return install(model, plan, layers, (layer, weights) -> {
            floatWeight(layer).setTransform(weights);
            if (layer instanceof Embedding table) {
                table.setTransformed(true);
            }
        });
    }

    /// Replaces the weights of prepared layers by codes and scales. What the model computes stays the same to the
    /// bit; fake quantization that was switched off counts as on.
    ///
    /// @return the layers, in the order of the tree
    /// @throws InputException if no layer is prepared
    public static List<QuantizedLayer> convert(Module model) {
        setActive(model, true);
        List<QuantizedLayer> table = new ArrayList<>();
        // Tied layers share their codes, as they shared the weight.
        IdentityHashMap<Parameter, QuantizedWeight> converted = new IdentityHashMap<>();
        Selection.layers(model).forEach((name, layer) -> {
            WeightFakeQuantizer q = prepared(layer);
            if (q != null) {
                layer.setWeight(converted.computeIfAbsent(floatWeight(layer), q::quantize));
                table.add(row(name, layer, q.scheme()));
            }
        });
        converted.keySet().forEach(Parameter::closeTransform);
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
        IdentityHashMap<Parameter, QuantizedWeight> quantized = new IdentityHashMap<>();
        return install(
                model,
                plan,
                floatLayers(model, plan),
                (layer, weights) -> layer.setWeight(quantized.computeIfAbsent(floatWeight(layer), weights::quantize)));
    }

    /// Gives quantized layers the activations of their schemes: for models that were loaded quantized. Where those are
    /// static, [InputCalibration#restore] brings the scales.
    public static void quantizeActivations(Module model) {
        Map<Object, ActivationFakeQuantizer> shared = new HashMap<>();
        Selection.layers(model).values().forEach(layer -> {
            if (layer instanceof Linear linear && linear.weight() instanceof QuantizedWeight w) {
                setActivations(linear, w.scheme(), GradientRule.IDENTITY, null, shared);
            }
        });
    }

    /// Gives prepared layers whose scales are trained those of an artifact's layers.
    ///
    /// @param artifact a model of the same layers, loaded quantized
    public static void takeScales(Module model, Module artifact) {
        Map<String, WeightedLayer> quantized = Selection.layers(artifact);
        Selection.layers(model).forEach((name, layer) -> {
            if (prepared(layer) instanceof LearnedWeightQuantizer learned
                    && Objects.requireNonNull(quantized.get(name)).weight() instanceof QuantizedWeight w) {
                learned.take(w.matrix().scale());
            }
        });
    }

    /// Switches the fake quantization of prepared layers on or off, for training that starts in float. Layers
    /// that are quantized already stay so.
    public static void setActive(Module model, boolean active) {
        Selection.layers(model).values().forEach(layer -> {
            WeightFakeQuantizer weights = prepared(layer);
            if (weights != null) {
                weights.setActive(active);
                floatWeight(layer).changed();
                if (layer instanceof Linear linear
                        && linear.inputTransform() instanceof ActivationFakeQuantizer activations) {
                    activations.setActive(active);
                }
            }
        });
    }

    /// The share of the prepared and quantized layers that quantize now, 0 to 1; 0 where there are none.
    public static double activeShare(Module model) {
        int layers = 0;
        int active = 0;
        for (WeightedLayer layer : Selection.layers(model).values()) {
            WeightFakeQuantizer weights = prepared(layer);
            if (layer.weight() instanceof QuantizedWeight || weights != null) {
                layers++;
                active += weights == null || weights.active() ? 1 : 0;
            }
        }
        return layers == 0 ? 0 : (double) active / layers;
    }

    /// What a prepared layer's weight passes through; null where it is not prepared. An embedding that only lends its
    /// table to a prepared head is not.
    static @Nullable WeightFakeQuantizer prepared(WeightedLayer layer) {
        boolean lends = layer instanceof Embedding table && !table.transformed();
        return !lends && layer.weight() instanceof Parameter p && p.transform() instanceof WeightFakeQuantizer q
                ? q
                : null;
    }

    /// The layers of a plan, each of which can be quantized.
    private static Map<String, Rule> floatLayers(Module model, QuantizationPlan plan) {
        Map<String, Rule> layers = Selection.select(model, plan);
        Map<String, WeightedLayer> all = Selection.layers(model);
        layers.forEach((name, rule) -> {
            WeightedLayer layer = Objects.requireNonNull(all.get(name));
            if (!(layer.weight() instanceof Parameter p) || p.transform() != null) {
                throw new InputException(
                        "%s is quantized or prepared already. Start from a model in float, or exclude it."
                                .formatted(name));
            }
            int group = rule.scheme().weights(p.dtype()).granularity().groupSize(layer.inFeatures());
            if (layer.inFeatures() % group != 0) {
                throw new InputException(
                        "groupsize: %d does not divide the %d inputs of %s. Use another, or put that layer into exclude."
                                .formatted(group, layer.inFeatures(), name));
            }
        });
        return layers;
    }

    private static Parameter floatWeight(WeightedLayer layer) {
        return (Parameter) layer.weight();
    }

    /// Gives each weight its fake quantizer, and each layer that of its inputs.
    private static List<QuantizedLayer> install(
            Module model,
            QuantizationPlan plan,
            Map<String, Rule> layers,
            BiConsumer<WeightedLayer, WeightFakeQuantizer> weight) {
        Map<String, WeightedLayer> all = Selection.layers(model);
        IdentityHashMap<Parameter, WeightFakeQuantizer> weights = new IdentityHashMap<>();
        Map<Object, ActivationFakeQuantizer> activations = new HashMap<>();
        List<QuantizedLayer> table = new ArrayList<>();
        layers.forEach((name, rule) -> {
            WeightedLayer layer = Objects.requireNonNull(all.get(name));
            weight.accept(
                    layer, weights.computeIfAbsent(floatWeight(layer), w -> fakeQuantizer(w, rule, plan.kernels())));
            if (layer instanceof Linear linear) {
                setActivations(linear, rule.scheme(), rule.gradient(), plan.kernels(), activations);
            }
            table.add(row(name, layer, rule.scheme()));
        });
        return table;
    }

    private static WeightFakeQuantizer fakeQuantizer(Parameter weight, Rule rule, @Nullable Kernels kernels) {
        return rule.scheme().numerics().learnsScales()
                ? new LearnedWeightQuantizer(rule.scheme(), rule.gradient(), kernels, weight)
                : new WeightFakeQuantizer(rule.scheme(), rule.gradient(), kernels);
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
                    List.of(grid, scheme.staticActivations(), gradient),
                    _ -> new ActivationFakeQuantizer(scheme, gradient, kernels, null)));
        }
    }

    private static QuantizedLayer row(String name, WeightedLayer layer, QuantScheme scheme) {
        return new QuantizedLayer(name, layer.outFeatures(), layer.inFeatures(), scheme);
    }
}
