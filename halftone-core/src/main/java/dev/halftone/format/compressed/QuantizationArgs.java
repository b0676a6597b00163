package dev.halftone.format.compressed;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.quant.Granularity;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// How weights or inputs are quantized, in compressed-tensors' terms: its class of this name, less what only its
/// calibration reads (`observer`, `zp_dtype`, `actorder: weight`).
///
/// @param bits of a code
/// @param type `int`, or `float` for e4m3 (8 bits) and e2m1 (4)
/// @param strategy what shares a scale: `tensor`, `channel`, `group`, `tensor_group`, `token`, `block`
/// @param groupSize null where there are no groups
/// @param dynamic whether scales are chosen on the fly: `false`, `true` or `local`
/// @param scaleDtype what scales are rounded to; null for the type of the values
public record QuantizationArgs(
        int bits,
        String type,
        boolean symmetric,
        String strategy,
        @Nullable Integer groupSize,
        String dynamic,
        @Nullable DType scaleDtype) {
    public static final String INT = "int";
    public static final String FLOAT = "float";

    static QuantizationArgs weights(int bits, String type, boolean symmetric, Granularity granularity) {
        Integer size = granularity instanceof Granularity.PerGroup(int n) ? n : null;
        String strategy = switch (granularity) {
            case Granularity.PerGroup _ -> "group";
            case Granularity.PerAxis _ -> "channel";
            case Granularity.PerTensor _ -> "tensor";
        };
        return new QuantizationArgs(bits, type, symmetric, strategy, size, "false", null);
    }

    /// e2m1 or e4m3 in blocks of 32 that share a power of two.
    static QuantizationArgs mx(int bits, boolean dynamic) {
        return new QuantizationArgs(bits, FLOAT, true, "group", 32, Boolean.toString(dynamic), DType.U8);
    }

    /// e2m1 in blocks of 16.
    static QuantizationArgs nvfp4() {
        return new QuantizationArgs(4, FLOAT, true, "tensor_group", 16, "false", DType.F8_E4M3);
    }

    /// 8-bit inputs with a scale chosen on the fly, for each token or the whole tensor.
    static QuantizationArgs dynamicInputs(String type, boolean symmetric, String strategy) {
        return new QuantizationArgs(8, type, symmetric, strategy, null, "true", null);
    }

    /// 8-bit inputs with one scale that calibration found.
    static QuantizationArgs staticInputs(String type, boolean symmetric) {
        return new QuantizationArgs(8, type, symmetric, "tensor", null, "false", null);
    }

    /// The blocks of weights; null where the strategy is none of [Granularity]'s.
    @Nullable
    Granularity granularity() {
        return switch (strategy) {
            case "group" -> new Granularity.PerGroup(groupSize == null ? 0 : groupSize);
            case "channel" -> new Granularity.PerAxis();
            case "tensor" -> new Granularity.PerTensor();
            default -> null;
        };
    }

    /// The object that compressed-tensors writes.
    ObjectNode json() {
        ObjectNode json = Json.object().put("num_bits", bits).put("type", type).put("symmetric", symmetric);
        json.put("group_size", groupSize).put("strategy", strategy);
        if (dynamic.equals("local")) {
            json.put("dynamic", dynamic);
        } else {
            json.put("dynamic", Boolean.parseBoolean(dynamic));
        }
        return scaleDtype == null ? json : json.put("scale_dtype", "torch." + scaleDtype.torchName());
    }

    /// The inverse of [#json], with compressed-tensors' defaults for what is left out.
    ///
    /// @param where the file and key in messages
    /// @throws InputException if columns are reordered by their activations (`actorder: group`)
    public static QuantizationArgs parse(JsonNode json, String where) {
        String order = json.path("actorder").asString("");
        if (order.equals("group") || order.equals("dynamic")) {
            throw new InputException(
                    "%s: columns are reordered (actorder %s), which Halftone does not read. Take a model without."
                            .formatted(where, order));
        }
        int size = json.path("group_size").asInt(0);
        String inferred = size > 0 ? "group" : size < 0 ? "channel" : "tensor";
        JsonNode scaleDtype = json.path("scale_dtype");
        return new QuantizationArgs(
                json.path("num_bits").asInt(8),
                json.path("type").asString(INT),
                json.path("symmetric").asBoolean(true),
                json.path("strategy").asString(inferred),
                size > 0 ? size : null,
                json.path("dynamic").asString("false"),
                scaleDtype.isString() ? DType.parse(scaleDtype.stringValue()) : null);
    }
}
