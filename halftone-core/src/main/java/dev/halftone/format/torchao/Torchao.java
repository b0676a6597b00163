package dev.halftone.format.torchao;

import static dev.halftone.format.torchao.TorchaoJson.typed;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.quant.QuantScheme;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Schemes in the terms of torchao 0.18, and how its tensors are stored, as its `prototype/safetensors` does
/// it: the parts of a weight in tensors `<layer>._weight_qdata`, `<layer>._weight_scale` and so on, and in
/// the file's metadata, under `<layer>.weight`, its class ([TensorClass]) and all else that its constructor
/// takes.
public final class Torchao {
    /// Its `quant_method`.
    public static final String METHOD = "torchao";
    /// What stands between a layer's path and the name of a part of its weight.
    public static final String PREFIX = "._weight_";

    public static final String CODES = "qdata";
    public static final String SCALE = "scale";
    public static final String ZERO_POINT = "zero_point";

    private Torchao() {}

    /// Why no tensor class computes a scheme; empty where one does.
    public static Optional<String> misfit(QuantScheme scheme) {
        return TensorClass.of(scheme).isPresent()
                ? Optional.empty()
                : Optional.of("none of torchao's tensor classes here has such weights with such inputs");
    }

    /// The class that holds the weights of a scheme that fits.
    public static TensorClass tensorClass(QuantScheme scheme) {
        return TensorClass.of(scheme).orElseThrow();
    }

    /// What a file's metadata says of a weight.
    ///
    /// @param dtype of the weight that was quantized
    /// @param shape `[N, K]`
    public static ObjectNode tensor(QuantScheme scheme, DType dtype, long... shape) {
        TensorClass type = tensorClass(scheme);
        ObjectNode tensor = typed(type.label(), type.attributes(scheme, dtype, shape));
        ArrayNode parts = tensor.putArray("_tensor_data_names");
        type.parts(scheme.weights(dtype), shape).forEach(part -> parts.add(part.name()));
        return tensor;
    }

    /// A file's metadata.
    ///
    /// @param quantized what [#tensor] says of each weight, by the name of the weight
    /// @param floats names of the other tensors
    public static Map<String, String> metadata(Map<String, ObjectNode> quantized, Iterable<String> floats) {
        Map<String, String> metadata = new LinkedHashMap<>();
        quantized.forEach((name, tensor) -> metadata.put(name, tensor.toString()));
        for (String name : floats) {
            metadata.put(name, Json.object().put(TorchaoJson.TYPE, "Tensor").toString());
        }
        ArrayNode names = Json.object().putArray("tensor_names");
        metadata.keySet().forEach(names::add);
        metadata.put("tensor_names", names.toString());
        return metadata;
    }

    /// `quantization_config` of a model, as transformers' `TorchAoConfig` reads it.
    ///
    /// @param layers those that are quantized, by their schemes
    /// @param floats the linear layers that are not
    /// @param embedding whether the embedding is quantized too
    public static ObjectNode config(Map<QuantScheme, List<String>> layers, List<String> floats, boolean embedding) {
        ObjectNode config = Json.object().put("quant_method", METHOD);
        List<ObjectNode> types = new ArrayList<>();
        layers.keySet().forEach(scheme -> types.add(tensorClass(scheme).configuration(scheme)));
        ObjectNode type = types.getFirst();
        if (types.size() == 1) {
            floats.forEach(config.putArray("modules_to_not_convert")::add);
        } else {
            ObjectNode each = Json.object();
            int i = 0;
            for (List<String> names : layers.values()) {
                ObjectNode its = types.get(i++);
                names.forEach(name -> each.set(name, its));
            }
            ObjectNode data = Json.object();
            data.set("fqn_to_config", each.putNull("_default"));
            type = typed("FqnToConfig", data).put("_version", 1);
        }
        config.putObject("quant_type").set("default", type);
        config.put("include_input_output_embeddings", embedding);
        config.put("untie_embedding_weights", false);
        return config;
    }
}
