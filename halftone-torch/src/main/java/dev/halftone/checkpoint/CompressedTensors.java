package dev.halftone.checkpoint;

import dev.halftone.format.Json;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.QuantScheme;
import java.util.List;
import java.util.Map;
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
            if (scheme instanceof IntxScheme intx) {
                groups.set("group_" + groups.size(), group(intx, layers.size() == 1 ? List.of("Linear") : names));
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

    private static ObjectNode group(IntxScheme scheme, List<String> targets) {
        ObjectNode group = Json.object();
        targets.forEach(group.putArray("targets")::add);
        group.put("format", FORMAT);
        group.set("weights", weights(scheme));
        group.set("input_activations", scheme.int8Activations() ? int8Tokens() : null);
        group.putNull("output_activations");
        return group;
    }

    private static ObjectNode weights(IntxScheme scheme) {
        ObjectNode weights = Json.object()
                .put("num_bits", scheme.weightBits())
                .put("type", "int")
                .put("symmetric", true)
                .put("dynamic", false);
        return switch (scheme.granularity()) {
            case Granularity.PerGroup(int size) ->
                weights.put("strategy", "group").put("group_size", size);
            case Granularity.PerAxis() -> weights.put("strategy", "channel").putNull("group_size");
            case Granularity.PerTensor() -> weights.put("strategy", "tensor").putNull("group_size");
        };
    }

    private static ObjectNode int8Tokens() {
        return Json.object()
                .put("num_bits", 8)
                .put("type", "int")
                .put("symmetric", false)
                .put("strategy", "token")
                .put("dynamic", true);
    }
}
