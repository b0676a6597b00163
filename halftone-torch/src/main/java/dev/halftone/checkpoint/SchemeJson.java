package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.format.compressed.CompressionFormat;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.StaticActivationScheme;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Schemes as JSON, in an artifact's `config.json`: exactly the record, so that what is loaded computes as
/// what was trained.
///
/// `{"type": "intx", "weight_bits": 4, "group_size": 32, "int8_activations": true, "numerics": "torchao"}`, with
/// `"group_size": null` for a scale per output channel; `{"type": "gguf", "lattice": "q4_0", "int8_activations":
/// false}`;
/// `{"type": "mx", "weights": "mxfp4", "activations": "mxfp8_e4m3", "scaling_mode": "rceil", "numerics": "torchao"}`,
/// with `"activations": null` for float;
/// `{"type": "nvfp4", "activations": true, "tensor_scale": true, "numerics": "modelopt"}`;
/// `{"type": "int4", "group_size": 32, "numerics": "fbgemm", "scale_gradient": false}`;
/// `{"type": "int8", "asymmetric_activations": false}`;
/// `{"type": "compressed_int", "weight_bits": 4, "group_size": 128, "symmetric": true, "int8_activations": false}`;
/// `{"type": "float8", "per_tensor": false, "activation_lowest": 0.01, "activation_highest": null,
/// "scale_gradient": false, "numerics": "torchao"}`, with null for no bound;
/// `{"type": "float8_int4", "group_size": 128, "numerics": "torchao"}`;
/// `{"type": "modelopt", "config": "INT8_DEFAULT_CFG"}`;
/// `{"type": "static", "dynamic": {"type": "int8", "asymmetric_activations": false}}`.
final class SchemeJson {
    private static final String INTX = "intx";
    private static final String INT4 = "int4";
    private static final String INT8 = "int8";
    private static final String COMPRESSED_INT = "compressed_int";
    private static final String GGUF = "gguf";
    private static final String MX = "mx";
    private static final String NVFP4 = "nvfp4";
    private static final String FLOAT8 = "float8";
    private static final String FLOAT8_INT4 = "float8_int4";
    private static final String MODELOPT = "modelopt";
    private static final String STATIC = "static";
    private static final String DYNAMIC = "dynamic";
    private static final String FORMAT = "format";

    private SchemeJson() {}

    /// Schemes with the layers that have them: an array of schemes, each with `"layers": […]` and the `"format"` of
    /// their weights ([CompressionFormat]).
    static ArrayNode writeLayers(Map<QuantScheme, List<String>> layers) {
        ArrayNode array = Json.object().putArray("schemes");
        layers.forEach((scheme, names) -> {
            ObjectNode json =
                    write(scheme).put(FORMAT, CompressedTensors.format(scheme).label());
            names.forEach(json.putArray("layers")::add);
            array.add(json);
        });
        return array;
    }

    /// The layers. Artifacts that are older than `"format"` have them all packed.
    ///
    /// @param dtype of the weights that were quantized
    /// @param where the file and key in messages
    /// @throws InputException if it is not what [#writeLayers] writes, or a later version's
    static Map<String, StoredLayer> readLayers(JsonNode json, DType dtype, String where) {
        Map<String, StoredLayer> layers = new HashMap<>();
        for (JsonNode entry : json) {
            CompressionFormat format = CompressionFormat.of(entry.path(FORMAT).asString(CompressionFormat.PACK.label()))
                    .orElseThrow(() -> unknown(entry, where));
            StoredLayer layer = new StoredLayer(read(entry, where), format, dtype);
            entry.path("layers").forEach(name -> layers.put(name.asString(""), layer));
        }
        if (layers.isEmpty()) {
            throw new InputException("%s names no quantized layer. Quantize the float model again.".formatted(where));
        }
        return layers;
    }

    static ObjectNode write(QuantScheme scheme) {
        return switch (scheme) {
            case IntxScheme(int bits, Granularity granularity, boolean activations, Numerics numerics) -> {
                ObjectNode json = Json.object().put("type", INTX).put("weight_bits", bits);
                yield groupSize(json, granularity)
                        .put("int8_activations", activations)
                        .put("numerics", numerics.label());
            }
            case Int4Scheme(Granularity granularity, Numerics numerics, boolean scaleGradient) ->
                groupSize(Json.object().put("type", INT4), granularity)
                        .put("numerics", numerics.label())
                        .put("scale_gradient", scaleGradient);
            case Int8Scheme(boolean asymmetric) ->
                Json.object().put("type", INT8).put("asymmetric_activations", asymmetric);
            case CompressedIntScheme(int bits, Granularity granularity, boolean symmetric, boolean activations) ->
                groupSize(Json.object().put("type", COMPRESSED_INT).put("weight_bits", bits), granularity)
                        .put("symmetric", symmetric)
                        .put("int8_activations", activations);
            case GgufScheme(GgufLattice lattice, boolean activations) ->
                Json.object().put("type", GGUF).put("lattice", name(lattice)).put("int8_activations", activations);
            case MxScheme(MxFormat weights, MxFormat activations, MxScaleMode mode, Numerics numerics) ->
                Json.object()
                        .put("type", MX)
                        .put("weights", weights.label())
                        .put("activations", activations == null ? null : activations.label())
                        .put("scaling_mode", name(mode))
                        .put("numerics", numerics.label());
            case Nvfp4Scheme(boolean activations, boolean tensorScale, Numerics numerics) ->
                Json.object()
                        .put("type", NVFP4)
                        .put("activations", activations)
                        .put("tensor_scale", tensorScale)
                        .put("numerics", numerics.label());
            case Float8Scheme s -> float8(s);
            case Float8Int4Scheme s ->
                Json.object()
                        .put("type", FLOAT8_INT4)
                        .put("group_size", Integer.parseInt(s.granularity().toString()))
                        .put("numerics", s.numerics().label());
            case ModelOptScheme s ->
                Json.object().put("type", MODELOPT).put("config", s.config().name());
            case StaticActivationScheme(QuantScheme dynamic) ->
                Json.object().put("type", STATIC).set(DYNAMIC, write(dynamic));
        };
    }

    private static ObjectNode groupSize(ObjectNode json, Granularity granularity) {
        return switch (granularity) {
            case Granularity.PerGroup(int size) -> json.put("group_size", size);
            case Granularity.PerAxis() -> json.putNull("group_size");
            case Granularity.PerTensor() -> throw new IllegalArgumentException("no intN has a scale of a tensor");
        };
    }

    /// @param where the file and key in messages
    /// @throws InputException if it is not what [#write] writes, or a later version's
    static QuantScheme read(JsonNode json, String where) {
        return switch (json.path("type").asString("")) {
            case INTX ->
                new IntxScheme(
                        number(json, "weight_bits", where),
                        granularity(json, where),
                        flag(json, "int8_activations", where),
                        numerics(json, where));
            case INT4 ->
                new Int4Scheme(granularity(json, where), numerics(json, where), flag(json, "scale_gradient", where));
            case INT8 -> new Int8Scheme(flag(json, "asymmetric_activations", where));
            case COMPRESSED_INT ->
                new CompressedIntScheme(
                        number(json, "weight_bits", where),
                        granularity(json, where),
                        flag(json, "symmetric", where),
                        flag(json, "int8_activations", where));
            case GGUF ->
                new GgufScheme(
                        named(GgufLattice.values(), SchemeJson::name, json.path("lattice"), "lattice", where),
                        // Artifacts that are older than the key have inputs in float.
                        json.has("int8_activations") && flag(json, "int8_activations", where));
            case MX -> mx(json, where);
            case NVFP4 ->
                new Nvfp4Scheme(
                        flag(json, "activations", where), flag(json, "tensor_scale", where), numerics(json, where));
            case FLOAT8 -> float8(json, where);
            case FLOAT8_INT4 -> float8Int4(json, where);
            case MODELOPT ->
                new ModelOptScheme(
                        named(ModelOptScheme.Config.values(), Enum::name, json.path("config"), "configuration", where));
            case STATIC -> new StaticActivationScheme(read(json.path(DYNAMIC), where));
            default -> throw unknown(json, where);
        };
    }

    private static int number(JsonNode json, String key, String where) {
        if (!json.path(key).isInt()) {
            throw unknown(json, where);
        }
        return json.get(key).intValue();
    }

    private static boolean flag(JsonNode json, String key, String where) {
        if (!json.path(key).isBoolean()) {
            throw unknown(json, where);
        }
        return json.get(key).booleanValue();
    }

    private static Granularity granularity(JsonNode json, String where) {
        return json.path("group_size").isNull()
                ? new Granularity.PerAxis()
                : new Granularity.PerGroup(number(json, "group_size", where));
    }

    private static MxScheme mx(JsonNode json, String where) {
        JsonNode activations = json.path("activations");
        return new MxScheme(
                format(json.path("weights"), where),
                activations.isNull() ? null : format(activations, where),
                named(MxScaleMode.values(), SchemeJson::name, json.path("scaling_mode"), "scaling_mode", where),
                numerics(json, where));
    }

    private static ObjectNode float8(Float8Scheme scheme) {
        ObjectNode json = Json.object()
                .put("type", FLOAT8)
                .put("per_tensor", scheme.granularity() instanceof Granularity.PerTensor)
                .put("activation_lowest", scheme.activationLowest());
        if (scheme.activationHighest() < Float.POSITIVE_INFINITY) {
            json.put("activation_highest", scheme.activationHighest());
        } else {
            json.putNull("activation_highest");
        }
        return json.put("scale_gradient", scheme.scaleGradient())
                .put("numerics", scheme.numerics().label());
    }

    private static Float8Scheme float8(JsonNode json, String where) {
        JsonNode highest = json.path("activation_highest");
        if (!json.path("per_tensor").isBoolean()
                || !json.path("activation_lowest").isNumber()
                || !(highest.isNumber() || highest.isNull())
                || !json.path("scale_gradient").isBoolean()) {
            throw unknown(json, where);
        }
        return new Float8Scheme(
                json.get("per_tensor").booleanValue() ? new Granularity.PerTensor() : new Granularity.PerAxis(),
                json.get("activation_lowest").floatValue(),
                highest.isNull() ? Float.POSITIVE_INFINITY : highest.floatValue(),
                json.get("scale_gradient").booleanValue(),
                numerics(json, where));
    }

    private static Float8Int4Scheme float8Int4(JsonNode json, String where) {
        if (!json.path("group_size").isInt()) {
            throw unknown(json, where);
        }
        return new Float8Int4Scheme(
                new Granularity.PerGroup(json.get("group_size").intValue()), numerics(json, where));
    }

    private static MxFormat format(JsonNode json, String where) {
        return named(MxFormat.values(), MxFormat::label, json, "format", where);
    }

    private static String name(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT);
    }

    private static Numerics numerics(JsonNode json, String where) {
        return named(Numerics.values(), Numerics::label, json.path("numerics"), "numerics", where);
    }

    private static <T> T named(T[] values, Function<T, String> name, JsonNode json, String what, String where) {
        return Arrays.stream(values)
                .filter(v -> name.apply(v).equals(json.asString("")))
                .findFirst()
                .orElseThrow(() ->
                        new InputException("%s: this version does not know the %s '%s'. Quantize the float model again."
                                .formatted(where, what, json.asString(""))));
    }

    private static InputException unknown(JsonNode scheme, String where) {
        return new InputException("%s: this version does not know the scheme %s. Quantize the float model again."
                .formatted(where, scheme));
    }
}
