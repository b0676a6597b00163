package dev.halftone.recipe;

import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.WeightedLayer;
import dev.halftone.qat.QuantizedLayer;
import dev.halftone.quant.QuantScheme;
import dev.halftone.recipe.Events.Table;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a plan matched, and what it left in float, to be read before hours are spent on it: layers that differ only in
/// the number of their block are one row.
final class LayerTable {
    private record Kind(
            String name,
            long outFeatures,
            long inFeatures,
            @Nullable QuantScheme scheme) {
        String label() {
            return scheme == null ? "float" : scheme.label();
        }
    }

    private LayerTable() {}

    static Table of(Module model, List<QuantizedLayer> matched) {
        Map<String, QuantScheme> schemes = new HashMap<>();
        matched.forEach(layer -> schemes.put(layer.name(), layer.scheme()));
        Map<Kind, Integer> counts = new LinkedHashMap<>();
        model.namedModules().forEach((name, module) -> {
            if (module instanceof WeightedLayer layer && (module instanceof Linear || schemes.containsKey(name))) {
                String kind = name.replaceAll("\\.\\d+\\.", ".*.");
                counts.merge(
                        new Kind(kind, layer.outFeatures(), layer.inFeatures(), schemes.get(name)), 1, Integer::sum);
            }
        });
        List<List<String>> rows = new ArrayList<>();
        counts.forEach((kind, count) -> rows.add(List.of(
                kind.name(),
                "%d x %d".formatted(kind.outFeatures(), kind.inFeatures()),
                Integer.toString(count),
                kind.label())));
        return new Table(List.of("layers", "shape", "count", "quantized to"), rows);
    }
}
