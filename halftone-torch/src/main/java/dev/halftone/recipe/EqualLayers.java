package dev.halftone.recipe;

import dev.halftone.model.CausalLm;
import dev.halftone.nn.Weight;
import dev.halftone.nn.WeightedLayer;
import dev.halftone.qat.QuantizedWeight;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.function.ToLongBiFunction;

/// How far the quantized layers of two models are equal: what certificates count.
///
/// @param scheme what they are quantized to; several are joined by +
/// @param layers quantized layers
/// @param weights in them
/// @param equal how many of these are the same on both sides
record EqualLayers(String scheme, int layers, long weights, long equal) {
    /// @param equal how many weights of a quantized layer, and of the layer in its place, are the same
    static EqualLayers of(CausalLm expected, CausalLm actual, ToLongBiFunction<QuantizedWeight, Weight> equal) {
        int layers = 0;
        long weights = 0;
        long same = 0;
        Set<String> schemes = new LinkedHashSet<>();
        var others = actual.namedModules();
        for (var module : expected.namedModules().entrySet()) {
            if (module.getValue() instanceof WeightedLayer layer && layer.weight() instanceof QuantizedWeight w) {
                layers++;
                weights += w.shape()[0] * w.shape()[1];
                schemes.add(w.scheme().label());
                if (others.get(module.getKey()) instanceof WeightedLayer other) {
                    same += equal.applyAsLong(w, other.weight());
                }
            }
        }
        return new EqualLayers(String.join(" + ", schemes), layers, weights, same);
    }
}
