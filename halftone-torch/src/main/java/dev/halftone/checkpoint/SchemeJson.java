package dev.halftone.checkpoint;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Schemes as JSON, in an artifact's `config.json`: exactly the record, so that what is loaded computes as
/// what was trained.
///
/// `{"type": "intx", "weight_bits": 4, "group_size": 32, "int8_activations": true, "numerics": "torchao"}`,
/// with `"group_size": null` for a scale per output channel; `{"type": "float8", "per_tensor": false, …}`;
/// `{"type": "float8_int4", "group_size": 128, …}`; `{"type": "modelopt", "config": "INT8_DEFAULT_CFG"}`.
final class SchemeJson {
    private static final String FLOAT8 = "float8";
    private static final String FLOAT8_INT4 = "float8_int4";
    private static final String MODELOPT = "modelopt";

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
                    case Granularity.PerAxis(), Granularity.PerTensor() -> json.putNull("group_size");
                }
                yield json.put("int8_activations", activations).put("numerics", numerics.label());
            }
            case Float8Scheme s -> float8(s);
            case Float8Int4Scheme s ->
                Json.object()
                        .put("type", FLOAT8_INT4)
                        .put("group_size", Integer.parseInt(s.granularity().toString()))
                        .put("numerics", s.numerics().label());
            case ModelOptScheme s ->
                Json.object().put("type", MODELOPT).put("config", s.config().name());
        };
    }

    /// @param where the file and key in messages
    /// @throws InputException if it is not what [#write] writes, or a later version's
    static QuantScheme read(JsonNode json, String where) {
        switch (json.path("type").asString("")) {
            case FLOAT8 -> {
                return float8(json, where);
            }
            case FLOAT8_INT4 -> {
                return new Float8Int4Scheme(
                        new Granularity.PerGroup(json.path("group_size").asInt(0)),
                        numerics(json.path("numerics").asString(""), where));
            }
            case MODELOPT -> {
                return modelOpt(json.path("config").asString(""), where);
            }
            default -> {}
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

    private static ObjectNode float8(Float8Scheme scheme) {
        ObjectNode json = Json.object()
                .put("type", FLOAT8)
                .put("per_tensor", scheme.granularity() instanceof Granularity.PerTensor)
                .put("activation_lowest", scheme.activationLowest());
        if (scheme.activationHighest() < Float.POSITIVE_INFINITY) {
            json.put("activation_highest", scheme.activationHighest());
        }
        return json.put("scale_gradient", scheme.scaleGradient())
                .put("numerics", scheme.numerics().label());
    }

    private static Float8Scheme float8(JsonNode json, String where) {
        return new Float8Scheme(
                json.path("per_tensor").asBoolean(false) ? new Granularity.PerTensor() : new Granularity.PerAxis(),
                json.path("activation_lowest").floatValue(),
                json.has("activation_highest") ? json.get("activation_highest").floatValue() : Float.POSITIVE_INFINITY,
                json.path("scale_gradient").asBoolean(false),
                numerics(json.path("numerics").asString(""), where));
    }

    private static ModelOptScheme modelOpt(String config, String where) {
        return Arrays.stream(ModelOptScheme.Config.values())
                .filter(c -> c.name().equals(config))
                .map(ModelOptScheme::new)
                .findFirst()
                .orElseThrow(() -> new InputException(
                        "%s: this version does not know ModelOpt's '%s'. Quantize the float model again."
                                .formatted(where, config)));
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
