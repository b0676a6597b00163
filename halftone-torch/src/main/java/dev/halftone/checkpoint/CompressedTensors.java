package dev.halftone.checkpoint;

import dev.halftone.format.Json;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import java.util.List;
import tools.jackson.databind.node.ObjectNode;

/// The `quantization_config` of compressed-tensors 0.20, in `config.json`.
final class CompressedTensors {
    private static final String FORMAT = "pack-quantized";

    private CompressedTensors() {}

    /// @param ignored the linear layers that stay in float, by their path
    static ObjectNode config(IntxScheme scheme, List<String> ignored) {
        ObjectNode config = Json.object()
                .put("quant_method", "compressed-tensors")
                .put("format", FORMAT)
                .put("quantization_status", "compressed");
        ignored.forEach(config.putArray("ignore")::add);
        ObjectNode group = config.putObject("config_groups").putObject("group_0");
        group.putArray("targets").add("Linear");
        group.put("format", FORMAT);
        group.set("weights", weights(scheme));
        group.set("input_activations", scheme.int8Activations() ? int8Tokens() : null);
        group.putNull("output_activations");
        return config;
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
