package dev.halftone.qat;

import dev.halftone.InputException;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import java.util.ArrayList;
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

    /// The layers that one of `include` and none of `exclude` matches.
    ///
    /// @throws InputException if a glob matches no layer, or nothing is left
    static Map<String, Linear> select(Module model, List<String> include, List<String> exclude) {
        Map<String, Linear> linears = linears(model);
        List<String> names = new ArrayList<>(linears.keySet());
        List<Pattern> included = patterns("include", include, names);
        List<Pattern> excluded = patterns("exclude", exclude, names);
        Map<String, Linear> selected = new LinkedHashMap<>();
        linears.forEach((name, linear) -> {
            if (matches(included, name) && !matches(excluded, name)) {
                selected.put(name, linear);
            }
        });
        if (selected.isEmpty()) {
            throw new InputException(
                    "include %s and exclude %s leave no layer to quantize. Take something out of exclude."
                            .formatted(include, exclude));
        }
        return selected;
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
