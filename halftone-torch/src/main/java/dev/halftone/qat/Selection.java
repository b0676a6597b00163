package dev.halftone.qat;

import dev.halftone.InputException;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.qat.QuantizationPlan.Rule;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/// Which linear layers a plan means.
final class Selection {
    private Selection() {}

    /// The linear layers of a model by their path.
    static Map<String, Linear> linears(Module model) {
        Map<String, Linear> linears = new LinkedHashMap<>();
        model.namedModules().forEach((name, module) -> {
            if (module instanceof Linear linear) {
                linears.put(name, linear);
            }
        });
        return linears;
    }

    /// The layers that a rule of the plan matches, each with the last rule that does.
    ///
    /// @throws InputException if a glob matches no layer, or nothing is left
    static Map<String, Rule> select(Module model, QuantizationPlan plan) {
        List<String> names = new ArrayList<>(linears(model).keySet());
        Map<String, Rule> chosen = new HashMap<>();
        for (Rule rule : plan.rules()) {
            List<Pattern> included = patterns("include", rule.include(), names);
            List<Pattern> excluded = patterns("exclude", rule.exclude(), names);
            boolean any = false;
            for (String name : names) {
                if (matches(included, name) && !matches(excluded, name)) {
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
        Map<String, Rule> ordered = new LinkedHashMap<>();
        for (String name : names) {
            Rule rule = chosen.get(name);
            if (rule != null) {
                ordered.put(name, rule);
            }
        }
        return ordered;
    }

    private static List<Pattern> patterns(String key, List<String> globs, List<String> names) {
        List<Pattern> patterns = new ArrayList<>();
        for (String glob : globs) {
            Pattern pattern = pattern(glob);
            if (names.stream().noneMatch(name -> pattern.matcher(name).matches())) {
                throw new InputException(
                        "%s: '%s' matches no linear layer. Layers have names like %s; * stands for any characters."
                                .formatted(key, glob, example(names)));
            }
            patterns.add(pattern);
        }
        return patterns;
    }

    private static String example(List<String> names) {
        return names.isEmpty() ? "none: this model has no linear layer" : "'" + names.getFirst() + "'";
    }

    private static boolean matches(List<Pattern> patterns, String name) {
        return patterns.stream().anyMatch(p -> p.matcher(name).matches());
    }

    private static Pattern pattern(String glob) {
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            regex.append(
                    switch (c) {
                        case '*' -> ".*";
                        case '?' -> ".";
                        default -> Pattern.quote(String.valueOf(c));
                    });
        }
        return Pattern.compile(regex.toString());
    }
}
