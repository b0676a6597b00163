package dev.halftone.checkpoint;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Schemes as JSON, in an artifact's `config.json`: exactly the record, so that what is loaded computes as what
/// was trained.
///
/// `{"type": "intx", "weight_bits": 4, "group_size": 32, "int8_activations": true, "numerics": "torchao"}`, with
/// `"group_size": null` for a scale per output channel; `{"type": "gguf", "lattice": "q4_0"}`.
final class SchemeJson {
    private static final String GGUF = "gguf";

    private SchemeJson() {}

    /// Schemes with the layers that have them: an array of schemes, each with `"layers": […]`.
    static ArrayNode writeLayers(Map<QuantScheme, List<String>> layers) {
        ArrayNode array = Json.object().putArray("schemes");
        layers.forEach((scheme, names) -> {
            ObjectNode json = write(scheme);
            names.forEach(json.putArray("layers")::add);
            array.add(json);
        });
        return array;
    }

    /// The scheme of each layer.
    ///
    /// @param where the file and key in messages
    /// @throws InputException if it is not what [#writeLayers] writes, or a later version's
    static Map<String, QuantScheme> readLayers(JsonNode json, String where) {
        Map<String, QuantScheme> schemes = new HashMap<>();
        for (JsonNode entry : json) {
            QuantScheme scheme = read(entry, where);
            entry.path("layers").forEach(name -> schemes.put(name.asString(""), scheme));
        }
        if (schemes.isEmpty()) {
            throw new InputException("%s names no quantized layer. Quantize the float model again.".formatted(where));
        }
        return schemes;
    }

    static ObjectNode write(QuantScheme scheme) {
        return switch (scheme) {
            case IntxScheme(int bits, Granularity granularity, boolean activations, Numerics numerics) -> {
                ObjectNode json = Json.object().put("type", "intx").put("weight_bits", bits);
                switch (granularity) {
                    case Granularity.PerGroup(int size) -> json.put("group_size", size);
                    case Granularity.PerAxis() -> json.putNull("group_size");
                }
                yield json.put("int8_activations", activations).put("numerics", numerics.label());
            }
            case GgufScheme gguf -> Json.object().put("type", GGUF).put("lattice", gguf.label());
        };
    }

    /// @param where the file and key in messages
    /// @throws InputException if it is not what [#write] writes, or a later version's
    static QuantScheme read(JsonNode json, String where) {
        if (json.path("type").asString("").equals(GGUF)) {
            return gguf(json.path("lattice").asString(""), where);
        }
        if (!json.path("type").asString("").equals("intx")
                || !json.path("weight_bits").isInt()
                || !json.path("int8_activations").isBoolean()
                || !(json.path("group_size").isInt() || json.path("group_size").isNull())) {
            throw new InputException("%s: this version does not know the scheme %s. Quantize the float model again."
                    .formatted(where, json));
        }
        Granularity granularity = json.get("group_size").isNull()
                ? new Granularity.PerAxis()
                : new Granularity.PerGroup(json.get("group_size").intValue());
        return new IntxScheme(
                json.get("weight_bits").intValue(),
                granularity,
                json.get("int8_activations").booleanValue(),
                numerics(json.path("numerics").asString(""), where));
    }

    private static GgufScheme gguf(String label, String where) {
        return Arrays.stream(GgufLattice.values())
                .map(GgufScheme::new)
                .filter(scheme -> scheme.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "%s: this version does not know the lattice '%s'. Quantize the float model again."
                                .formatted(where, label)));
    }

    private static Numerics numerics(String label, String where) {
        return Arrays.stream(Numerics.values())
                .filter(n -> n.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "%s: this version does not know the numerics '%s'. Quantize the float model again."
                                .formatted(where, label)));
    }
}
