package dev.halftone.format.torchao;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.QuantScheme;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/// Schemes in the terms of torchao 0.18: the tensor classes that hold their weights, and the configurations
/// that make such tensors.
///
/// A tensor is stored as torchao's `prototype/safetensors` does it: `<layer>._weight_qdata` (int8 codes `[N,
/// K]`), `<layer>._weight_scale` and `<layer>._weight_zero_point` (`[N, K / group]`), and in the file's
/// metadata, under `<layer>.weight`, the class and all else that its constructor takes.
///
/// - `IntxUnpackedToInt8Tensor`: weights that are codes, less a zero point, times a scale, with inputs in
///   float or in 8 bits, asymmetric per token, by torchao's formulas.
/// - `Int8Tensor`: int8 weights and inputs by torchao's formulas.
public final class Torchao {
    /// Its `quant_method`.
    public static final String METHOD = "torchao";
    /// What stands between a layer's path and the name of a part of its weight.
    public static final String PREFIX = "._weight_";

    public static final String CODES = "qdata";
    public static final String SCALE = "scale";
    public static final String ZERO_POINT = "zero_point";

    private static final String TYPE = "_type";
    private static final String DATA = "_data";
    private static final String TORCH_DTYPE = "torch.dtype";
    private static final String MAPPING_TYPE = "MappingType";
    private static final String SYMMETRIC = "SYMMETRIC";
    private static final String ASYMMETRIC = "ASYMMETRIC";

    private Torchao() {}

    /// Why no tensor class computes a scheme; empty where one does.
    public static Optional<String> misfit(QuantScheme scheme) {
        if (scheme instanceof Int8Scheme) {
            return Optional.empty();
        }
        if (!scheme.weights(DType.F32).affine()) {
            return Optional.of("no tensor class that Halftone writes has such codes and scales");
        }
        boolean inputsFit = scheme.activations(DType.F32) == null || inputsAreTorchaos(scheme);
        return inputsFit ? Optional.empty() : Optional.of("torchao quantizes the inputs of such weights otherwise");
    }

    private static boolean inputsAreTorchaos(QuantScheme scheme) {
        return List.of(DType.F32, DType.BF16).stream()
                .allMatch(d -> IntxGrid.activations(Numerics.TORCHAO, d).equals(scheme.activations(d)));
    }

    /// What a file's metadata says of a weight.
    ///
    /// @param dtype of the weight that was quantized
    public static ObjectNode tensor(QuantScheme scheme, DType dtype, long columns) {
        Grid grid = scheme.weights(dtype);
        ObjectNode data = Json.object();
        if (scheme instanceof Int8Scheme(boolean asymmetric)) {
            ObjectNode inputs = Json.object();
            inputs.set("granularity", typed("PerRow", Json.object().put("dim", -1)));
            inputs.set("mapping_type", mapping(!asymmetric));
            inputs.put("reduce_range", false);
            data.set("act_quant_kwargs", typed("QuantizeTensorToInt8Kwargs", inputs));
            data.put("reduce_range", false);
        } else {
            data.set("target_dtype", named(TORCH_DTYPE, "int" + grid.codeBits()));
            data.put("activation_quantization", scheme.activations(dtype) == null ? null : "int8_asym_per_token");
        }
        data.putArray("block_size").add(1).add(grid.granularity().groupSize(columns));
        data.set("dtype", named(TORCH_DTYPE, dtype.torchName()));
        ObjectNode tensor = typed(scheme instanceof Int8Scheme ? "Int8Tensor" : "IntxUnpackedToInt8Tensor", data);
        tensor.putArray("_tensor_data_names").add(CODES).add(SCALE).add(ZERO_POINT);
        return tensor;
    }

    /// A file's metadata.
    ///
    /// @param quantized what [#tensor] says of each weight, by the name of the weight
    /// @param floats names of the other tensors
    public static Map<String, String> metadata(Map<String, ObjectNode> quantized, Iterable<String> floats) {
        Map<String, String> metadata = new LinkedHashMap<>();
        List<String> names = new ArrayList<>(quantized.keySet());
        quantized.forEach((name, tensor) -> metadata.put(name, tensor.toString()));
        for (String name : floats) {
            names.add(name);
            metadata.put(name, Json.object().put(TYPE, "Tensor").toString());
        }
        ObjectNode list = Json.object();
        names.forEach(list.putArray("names")::add);
        metadata.put("tensor_names", list.get("names").toString());
        return metadata;
    }

    /// `quantization_config` of a model, as transformers' `TorchAoConfig` reads it.
    ///
    /// @param layers those that are quantized, by their schemes
    /// @param floats the linear layers that are not
    /// @param embedding whether the embedding is quantized too
    public static ObjectNode config(Map<QuantScheme, List<String>> layers, List<String> floats, boolean embedding) {
        ObjectNode config = Json.object().put("quant_method", METHOD);
        ObjectNode type;
        if (layers.size() == 1) {
            type = configuration(layers.keySet().iterator().next());
            floats.forEach(config.putArray("modules_to_not_convert")::add);
        } else {
            ObjectNode each = Json.object();
            layers.forEach((scheme, names) -> names.forEach(name -> each.set(name, configuration(scheme))));
            ObjectNode data = Json.object();
            data.set("fqn_to_config", each.putNull("_default"));
            type = typed("FqnToConfig", data).put("_version", 1);
        }
        config.putObject("quant_type").set("default", type);
        config.put("include_input_output_embeddings", embedding);
        config.put("untie_embedding_weights", false);
        return config;
    }

    /// What torchao's `quantize_` takes to make such weights.
    private static ObjectNode configuration(QuantScheme scheme) {
        if (scheme instanceof Int8Scheme(boolean asymmetric)) {
            ObjectNode data = Json.object();
            data.set("act_mapping_type", mapping(!asymmetric));
            return typed("Int8DynamicActivationInt8WeightConfig", data).put("_version", 2);
        }
        Grid grid = scheme.weights(DType.F32);
        boolean inputs = scheme.activations(DType.F32) != null;
        ObjectNode data = Json.object();
        data.set("weight_dtype", named(TORCH_DTYPE, "int" + grid.codeBits()));
        data.set(inputs ? "weight_granularity" : "granularity", granularity(grid.granularity()));
        data.set(inputs ? "weight_mapping_type" : "mapping_type", mapping(grid.zeroPointDtype() == null));
        return typed(inputs ? "Int8DynamicActivationIntxWeightConfig" : "IntxWeightOnlyConfig", data)
                .put("_version", 2);
    }

    private static ObjectNode granularity(Granularity granularity) {
        ObjectNode json = granularity instanceof Granularity.PerGroup(int size)
                ? typed("PerGroup", Json.object().put("group_size", size))
                : typed("PerAxis", Json.object().put("axis", 0));
        return json.put("_version", 1);
    }

    private static ObjectNode mapping(boolean symmetric) {
        return named(MAPPING_TYPE, symmetric ? SYMMETRIC : ASYMMETRIC);
    }

    private static ObjectNode named(String type, String value) {
        return Json.object().put(TYPE, type).put(DATA, value);
    }

    private static ObjectNode typed(String type, ObjectNode data) {
        ObjectNode json = Json.object().put(TYPE, type);
        json.set(DATA, data);
        return json;
    }
}
