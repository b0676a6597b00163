package dev.halftone.checkpoint;

import dev.halftone.format.Json;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// The `quantization_config` of compressed-tensors 0.20, in `config.json`.
final class CompressedTensors {
    private static final String FORMAT = "pack-quantized";

    private CompressedTensors() {}

    /// For schemes that the format cannot say, a `quant_method` that no other tool takes for its own.
    ///
    /// @param layers the quantized layers of each scheme
    /// @param ignored the linear layers that stay in float, by their path
    static ObjectNode config(Map<QuantScheme, List<String>> layers, List<String> ignored) {
        ObjectNode config = Json.object();
        ObjectNode groups = Json.object();
        layers.forEach((scheme, names) -> {
            List<String> targets = layers.size() == 1 ? List.of("Linear") : names;
            switch (scheme) {
                case IntxScheme s -> {
                    ObjectNode weights = weights(s.weightBits(), s.granularity(), true);
                    add(groups, targets, weights, s.int8Activations() ? int8Tokens(false) : null);
                }
                case CompressedIntScheme s ->
                    add(groups, targets, weights(s), s.int8Activations() ? int8Tokens(true) : null);
                case StaticActivationScheme(CompressedIntScheme s) -> add(groups, targets, weights(s), int8Tensor());
                default -> {}
            }
        });
        if (groups.size() < layers.size()) {
            return config.put("quant_method", "halftone");
        }
        config.put("quant_method", "compressed-tensors").put("format", FORMAT).put("quantization_status", "compressed");
        ignored.forEach(config.putArray("ignore")::add);
        config.set("config_groups", groups);
        return config;
    }

    private static void add(
            ObjectNode groups, List<String> targets, ObjectNode weights, @Nullable ObjectNode activations) {
        ObjectNode group = Json.object();
        targets.forEach(group.putArray("targets")::add);
        group.put("format", FORMAT);
        group.set("weights", weights);
        group.set("input_activations", activations);
        group.putNull("output_activations");
        groups.set("group_" + groups.size(), group);
    }

    private static ObjectNode weights(int bits, Granularity granularity, boolean symmetric) {
        ObjectNode weights = Json.object()
                .put("num_bits", bits)
                .put("type", "int")
                .put("symmetric", symmetric)
                .put("dynamic", false);
        return switch (granularity) {
            case Granularity.PerGroup(int size) ->
                weights.put("strategy", "group").put("group_size", size);
            case Granularity.PerAxis() -> weights.put("strategy", "channel").putNull("group_size");
            case Granularity.PerTensor() -> weights.put("strategy", "tensor").putNull("group_size");
        };
    }

    private static ObjectNode weights(CompressedIntScheme scheme) {
        return weights(scheme.weightBits(), scheme.granularity(), scheme.symmetric());
    }

    /// With an `input_scale` for each layer.
    private static ObjectNode int8Tensor() {
        return int8Tokens(true).put("strategy", "tensor").put("dynamic", false);
    }

    private static ObjectNode int8Tokens(boolean symmetric) {
        return Json.object()
                .put("num_bits", 8)
                .put("type", "int")
                .put("symmetric", symmetric)
                .put("strategy", "token")
                .put("dynamic", true);
    }
}
