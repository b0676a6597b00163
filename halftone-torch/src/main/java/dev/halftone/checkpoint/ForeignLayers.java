package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.format.compressed.CompressedTensors.Group;
import dev.halftone.format.compressed.CompressionFormat;
import dev.halftone.format.compressed.QuantizationArgs;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.quant.QuantScheme;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/// The quantized layers of a folder that compressed-tensors (llm-compressor) wrote.
///
/// Which layers are quantized is what their tensors say: those with a `weight_scale`. Their scheme is that of the first
/// group of `config.json` with a target for them: a path, a regular expression after `re:`, or the class `Linear` or
/// `Embedding`.
final class ForeignLayers {
    private static final String KEY = QuantizedFolders.CONFIG_KEY;
    private static final String SCALE = ".weight" + QuantizedFolders.SCALE;

    private ForeignLayers() {}

    /// A config group.
    private record Targets(List<String> targets, QuantScheme scheme, CompressionFormat format) {}

    /// @throws InputException if another tool than compressed-tensors wrote the folder, or with it something that
    ///     Halftone has no scheme for
    static Map<String, StoredLayer> of(HfFolder folder) {
        JsonNode config = folder.config().path(KEY);
        String where = folder.dir().resolve("config.json") + ", " + KEY;
        String method = config.path("quant_method").asString("");
        if (!method.equals(CompressedTensors.METHOD)) {
            throw new InputException(
                    "%s: quantized by '%s', which Halftone does not read. Give the float model, or one of compressed-tensors."
                            .formatted(where, method));
        }
        requireWeightsOnly(config, where);
        List<Targets> groups = groups(config, where);
        List<String> ignore = strings(config.path("ignore"));
        Map<String, StoredLayer> layers = new LinkedHashMap<>();
        for (String name : folder.tensorNames()) {
            if (name.endsWith(SCALE)) {
                String layer = name.substring(0, name.length() - SCALE.length());
                layers.put(layer, layer(layer, folder.info(name).dtype(), groups, ignore, where));
            }
        }
        if (layers.isEmpty()) {
            throw new InputException(
                    "%s: no layer has a weight_scale: the model was saved before it was compressed. Save it compressed."
                            .formatted(where));
        }
        return layers;
    }

    /// Refuses what would change the numbers and is not read.
    private static void requireWeightsOnly(JsonNode config, String where) {
        for (String key : List.of("kv_cache_scheme", "sparsity_config", "transform_config")) {
            JsonNode value = config.path(key);
            boolean none = value.isEmpty() || value.path("format").asString("").equals("dense");
            if (!none) {
                throw new InputException("%s.%s is not read. Take a model without, or the float one it was made from."
                        .formatted(where, key));
            }
        }
    }

    private static List<Targets> groups(JsonNode config, String where) {
        List<Targets> groups = new ArrayList<>();
        config.path("config_groups").forEachEntry((name, json) -> {
            String at = where + ".config_groups." + name;
            if (!json.isObject() || !json.path("weights").isObject()) {
                throw new InputException(
                        "%s says nothing of weights. Take a model with quantized weights.".formatted(at));
            }
            if (json.path("output_activations").isObject()) {
                throw new InputException(
                        "%s: quantized outputs are not read. Take a model with quantized inputs.".formatted(at));
            }
            JsonNode inputs = json.path("input_activations");
            QuantizationArgs weights = QuantizationArgs.parse(json.path("weights"), at + ".weights");
            String format = json.path("format").asString(config.path("format").asString(""));
            Group group = new Group(
                    format(format, weights, at),
                    weights,
                    inputs.isObject() ? QuantizationArgs.parse(inputs, at + ".input_activations") : null);
            QuantScheme scheme = CompressedTensors.scheme(group)
                    .orElseThrow(() -> new InputException(
                            "%s: Halftone has no scheme with weights %s and inputs %s. Give the float model, and quantize that."
                                    .formatted(at, json.path("weights"), inputs.isMissingNode() ? "null" : inputs)));
            groups.add(new Targets(strings(json.path("targets")), scheme, group.format()));
        });
        return groups;
    }

    private static CompressionFormat format(String label, QuantizationArgs weights, String where) {
        boolean integers = weights.type().equals(QuantizationArgs.INT);
        if (label.equals("naive-quantized")) {
            return integers ? CompressionFormat.INT : CompressionFormat.FLOAT;
        }
        CompressionFormat format = CompressionFormat.of(label)
                .orElseThrow(() -> new InputException("%s: the format '%s' is not read. Take a model in one of %s."
                        .formatted(
                                where,
                                label,
                                Arrays.stream(CompressionFormat.values())
                                        .map(CompressionFormat::label)
                                        .collect(Collectors.joining(", ")))));
        if (integers != (format == CompressionFormat.PACK || format == CompressionFormat.INT)) {
            throw new InputException(
                    "%s: %s weights are not stored as %s. Take config.json and the weights from one place."
                            .formatted(where, weights.type(), label));
        }
        return format;
    }

    /// @param scales their type, which the weight had too; blocks of e2m1 and MX have scales of their own type, and
    ///     compressed-tensors computes their values in bfloat16
    private static StoredLayer layer(
            String layer, DType scales, List<Targets> groups, List<String> ignore, String where) {
        if (ignore.stream().noneMatch(target -> matches(target, layer))) {
            for (Targets group : groups) {
                if (group.targets().stream().anyMatch(target -> matches(target, layer))) {
                    DType dtype = CompressedTensors.isWeightDtype(scales) ? scales : DType.BF16;
                    return new StoredLayer(group.scheme(), group.format(), dtype);
                }
            }
        }
        throw new InputException("%s: the weights of %s are quantized, and no group says how. Fetch both again."
                .formatted(where, layer));
    }

    /// As compressed-tensors' `match_name` and `_match_class`; expressions match beginnings, as Python's `re.match`.
    private static boolean matches(String target, String layer) {
        if (target.startsWith("re:")) {
            try {
                return Pattern.compile(target.substring("re:".length()))
                        .matcher(layer)
                        .lookingAt();
            } catch (PatternSyntaxException e) {
                throw new InputException(
                        "%s: '%s' is no regular expression of Java's (%s). Write out the layers."
                                .formatted(KEY, target, e.getDescription()),
                        e);
            }
        }
        return target.equals(layer) || target.equals(layer.equals(CompressedTensors.TABLE) ? "Embedding" : "Linear");
    }

    private static List<String> strings(JsonNode array) {
        List<String> strings = new ArrayList<>();
        array.forEach(s -> strings.add(s.asString("")));
        return strings;
    }
}
