package dev.halftone.qat;

import dev.halftone.InputException;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.Globs;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.WeightedLayer;
import dev.halftone.qat.QuantizationPlan.Rule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// Which layers a plan means. A glob means linear layers; an embedding's table is meant only where its path is written
/// out, without `*` or `?`.
final class Selection {
    private Selection() {}

    /// The layers of a model that can be quantized, by their path.
    static Map<String, WeightedLayer> layers(Module model) {
        Map<String, WeightedLayer> layers = new LinkedHashMap<>();
        model.namedModules().forEach((name, module) -> {
            if (module instanceof WeightedLayer layer) {
                layers.put(name, layer);
            }
        });
        return layers;
    }

    /// The layers that a rule of the plan matches, each with the last rule that does.
    ///
    /// @throws InputException if a glob matches no layer, or nothing is left
    static Map<String, Rule> select(Module model, QuantizationPlan plan) {
        Map<String, WeightedLayer> layers = layers(model);
        List<String> names = new ArrayList<>(layers.keySet());
        Map<String, Rule> chosen = new HashMap<>();
        for (Rule rule : plan.rules()) {
            List<Pattern> included = patterns("include", rule.include(), layers);
            List<Pattern> excluded = patterns("exclude", rule.exclude(), layers);
            boolean any = false;
            for (String name : names) {
                if (matches(included, name, layers) && !matches(excluded, name, layers)) {
                    chosen.put(name, rule);
                    any = true;
                }
            }
            if (!any) {
                throw new InputException(
                        "include %s and exclude %s leave no layer to quantize. Take something out of exclude."
                                .formatted(rule.include(), rule.exclude()));
            }
        }
        followTables(layers, chosen);
        Map<String, Rule> ordered = new LinkedHashMap<>();
        for (String name : names) {
            Rule rule = chosen.get(name);
            if (rule != null) {
                ordered.put(name, rule);
            }
        }
        return ordered;
    }

    /// A head that is tied to a quantized embedding is the same table: it has the same grid, whether a rule means it or
    /// not.
    private static void followTables(Map<String, WeightedLayer> layers, Map<String, Rule> chosen) {
        layers.forEach((name, layer) -> {
            Rule rule = chosen.get(name);
            if (layer instanceof Embedding && rule != null) {
                layers.forEach((other, tied) -> {
                    if (tied.weight().equals(layer.weight())) {
                        Rule its = chosen.getOrDefault(other, rule);
                        if (!its.scheme().equals(rule.scheme())) {
                            throw new InputException(
                                    "%s and %s are one table in this model, and cannot be %s and %s. Give them one scheme."
                                            .formatted(
                                                    name,
                                                    other,
                                                    rule.scheme().label(),
                                                    its.scheme().label()));
                        }
                        chosen.put(other, rule);
                    }
                });
            }
        });
    }

    private static List<Pattern> patterns(String key, List<String> globs, Map<String, WeightedLayer> layers) {
        List<Pattern> patterns = new ArrayList<>();
        for (String glob : globs) {
            Pattern pattern = Globs.pattern(glob);
            if (layers.keySet().stream().noneMatch(name -> matches(List.of(pattern), name, layers))) {
                throw new InputException(
                        "%s: '%s' matches no linear layer. Layers have names like %s; * stands for any characters."
                                .formatted(key, glob, example(layers)));
            }
            patterns.add(pattern);
        }
        return patterns;
    }

    private static String example(Map<String, WeightedLayer> layers) {
        return layers.entrySet().stream()
                .filter(e -> e.getValue() instanceof Linear)
                .findFirst()
                .map(e -> "'" + e.getKey() + "'")
                .orElse("none: this model has no linear layer");
    }

    private static boolean matches(List<Pattern> patterns, String name, Map<String, WeightedLayer> layers) {
        boolean exactly = layers.get(name) instanceof Embedding;
        return patterns.stream()
                .anyMatch(p -> exactly
                        ? p.pattern().equals(Globs.pattern(name).pattern())
                        : p.matcher(name).matches());
    }
}
