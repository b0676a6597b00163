package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.format.compressed.CompressionFormat;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.kernel.GridMatrix;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.WeightedLayer;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Torch;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Quantized models as Hugging Face folders, as compressed-tensors has them, which transformers and vLLM load: a
/// quantized layer has codes and scales in the tensors of a [CompressionFormat], and where its activations are static
///
/// ```text
/// input_scale          float32 [1]       of ModelOpt's numbers the amax
/// input_zero_point     int8 [1]          where they are asymmetric
/// ```
///
/// Everything else is stored as the model has it. `config.json` gets `quantization_config` for other tools, and
/// under `halftone` the schemes, their layers and the dtype of the arithmetic, exactly, for us. Schemes that
/// compressed-tensors cannot express have a folder of the same kind that only Halftone reads.
public final class QuantizedFolders {
    static final String CONFIG_KEY = "quantization_config";
    static final String OWN_KEY = "halftone";
    static final String SCHEMES = "schemes";
    static final String WEIGHT_DTYPE = "weight_dtype";
    static final String SCALE = "_scale";
    static final String SHAPE = "_shape";
    static final String ZERO_POINT = "_zero_point";
    static final String TENSOR_SCALE = "_global_scale";
    private static final String HEAD = "lm_head";

    private QuantizedFolders() {}

    /// What an artifact says of itself.
    ///
    /// @param schemes of the quantized layers, by their paths
    /// @param weightDtype type of the weights that were quantized, and of the arithmetic between codes and values
    public record Contents(Map<String, QuantScheme> schemes, DType weightDtype) {}

    /// Reads an artifact's configuration, none of its weights.
    ///
    /// @throws dev.halftone.InputException if the folder is no artifact, or one of a later version
    public static Contents contents(Path dir) {
        ObjectNode config = Json.readObject(dir.resolve("config.json"));
        if (!config.has(OWN_KEY)) {
            throw new InputException(
                    "%s is no artifact of Halftone's: its config.json has no key `halftone`. Give the folder that `halftone run quantize` or `qat` wrote."
                            .formatted(dir));
        }
        Map<String, QuantScheme> schemes = new LinkedHashMap<>();
        Map<String, StoredLayer> layers = layers(config, dir);
        layers.forEach((name, layer) -> schemes.put(name, layer.scheme()));
        return new Contents(schemes, layers.values().iterator().next().dtype());
    }

    /// The quantized layers of an artifact.
    static Map<String, StoredLayer> layers(JsonNode config, Path dir) {
        JsonNode own = config.path(OWN_KEY);
        String where = dir.resolve("config.json") + ", halftone";
        DType weightDtype = DType.parse(own.path(WEIGHT_DTYPE).asString(""));
        if (weightDtype != DType.F32 && weightDtype != DType.BF16) {
            throw new InputException(
                    "%s: weight_dtype %s is none that weights are trained in. Quantize the float model again."
                            .formatted(where, weightDtype.torchName()));
        }
        return SchemeJson.readLayers(own.path(SCHEMES), weightDtype, where);
    }

    /// Whether a folder holds a quantized model, of whatever tool.
    static boolean isQuantized(HfFolder folder) {
        return folder.config().has(OWN_KEY) || folder.config().has(CONFIG_KEY);
    }

    /// Writes a converted model.
    ///
    /// @param original the folder that the model was loaded from: its configuration and tokenizer come along
    /// @param maxShardBytes size above which weights go into several files
    public static void save(Path dir, CausalLm model, Path original, long maxShardBytes) {
        Map<String, QuantizedWeight> quantized = quantizedWeights(model);
        Map<String, Parameter> parameters = model.namedParameters();
        List<Entry> entries = new ArrayList<>();
        try (TensorFiles.Source source = new TensorFiles.Source()) {
            parameters.forEach((name, p) -> entries.add(source.entry(name, p.dtype(), p.shape(), p::adapted)));
            distinct(model).forEach((name, w) -> entries.addAll(entries(name + ".weight", w, source)));
            InputScales.tensors(InputCalibration.scales(model), name -> zeroPoints(quantized.get(name)))
                    .forEach((name, t) -> part(name, t, source, entries));
            ObjectNode config = config(Json.readObject(original.resolve("config.json")), model, quantized);
            HfWriter.write(dir, config, entries, maxShardBytes, original, false);
        }
    }

    /// The quantized weights of a model by their layers' paths, one that is tied once, under the embedding's name.
    public static Map<String, QuantizedWeight> distinct(CausalLm model) {
        Set<QuantizedWeight> seen = Collections.newSetFromMap(new IdentityHashMap<>());
        Map<String, QuantizedWeight> quantized = quantizedWeights(model);
        quantized.values().removeIf(w -> !seen.add(w));
        return quantized;
    }

    static Map<String, QuantizedWeight> quantizedWeights(CausalLm model) {
        Map<String, QuantizedWeight> quantized = new LinkedHashMap<>();
        model.namedModules().forEach((name, module) -> {
            if (module instanceof WeightedLayer layer && layer.weight() instanceof QuantizedWeight w) {
                quantized.put(name, w);
            }
        });
        return quantized;
    }

    private static List<Entry> entries(String name, QuantizedWeight w, TensorFiles.Source source) {
        GridMatrix matrix = w.matrix();
        Grid grid = w.grid();
        long[] shape = w.shape();
        CompressionFormat format = CompressedTensors.format(w.scheme());
        List<Entry> entries = new ArrayList<>();
        entries.add(source.entry(
                name + format.suffix(),
                format.codesDtype(),
                format.codesShape(shape, grid),
                () -> WeightTensors.codes(format, w.quantized().codes(), grid)));
        if (format == CompressionFormat.PACK) {
            entries.add(source.entry(name + SHAPE, DType.I64, new long[] {2}, () -> Torch.of(shape, 2)));
        }
        entries.add(source.entry(
                name + SCALE,
                format.scaleDtype(grid),
                format.scaleShape(shape, grid),
                () -> WeightTensors.scale(format, matrix.scale(), shape, grid)));
        Tensor zeroPoint = matrix.zeroPoint();
        if (zeroPoint != null) {
            DType dtype = format.packsZeroPoint(grid) ? DType.I32 : Torch.dtype(zeroPoint);
            entries.add(source.entry(
                    name + ZERO_POINT,
                    dtype,
                    format.zeroPointShape(shape, grid),
                    () -> WeightTensors.zeroPoint(format, zeroPoint, shape, grid)));
        }
        part(name + TENSOR_SCALE, matrix.tensorScale(), source, entries);
        return entries;
    }

    private static boolean zeroPoints(@Nullable QuantizedWeight w) {
        Grid inputs = Objects.requireNonNull(w).scheme().activations(DType.F32);
        return inputs != null && inputs.zeroPointDtype() != null;
    }

    private static void part(String name, @Nullable Tensor t, TensorFiles.Source source, List<Entry> entries) {
        if (t != null) {
            entries.add(source.entry(name, t, Torch.dtype(t)));
        }
    }

    private static ObjectNode config(JsonNode original, CausalLm model, Map<String, QuantizedWeight> quantized) {
        DType weightDtype = quantized.values().iterator().next().dtype();
        if (quantized.values().stream().anyMatch(w -> w.dtype() != weightDtype)) {
            throw new IllegalArgumentException("weights of different dtypes do not fit into one artifact");
        }
        ObjectNode config = ((ObjectNode) original).deepCopy();
        String dtype =
                model.namedParameters().values().iterator().next().dtype().torchName();
        config.remove("torch_dtype");
        config.put("dtype", dtype);
        if (quantized.containsKey(HEAD) && !quantized.containsKey(CompressedTensors.TABLE)) {
            // A loader that ties head and embedding again would undo the head's quantization.
            config.put("tie_word_embeddings", false);
        }
        Map<QuantScheme, List<String>> layers = new LinkedHashMap<>();
        quantized.forEach((name, w) ->
                layers.computeIfAbsent(w.scheme(), _ -> new ArrayList<>()).add(name));
        config.set(CONFIG_KEY, CompressedTensors.config(layers, floatLinears(model)));
        ObjectNode own = Json.object();
        own.set(SCHEMES, SchemeJson.writeLayers(layers));
        own.put(WEIGHT_DTYPE, weightDtype.torchName());
        config.set(OWN_KEY, own);
        return config;
    }

    static List<String> floatLinears(CausalLm model) {
        return model.namedModules().entrySet().stream()
                .filter(e -> e.getValue() instanceof Linear l && !(l.weight() instanceof QuantizedWeight))
                .map(Map.Entry::getKey)
                .toList();
    }

    /// Makes the weights of a model that was loaded the frozen ones beneath adapters, each once.
    static CausalLm freeze(CausalLm model, DType dtype, DType computeDtype) {
        IdentityHashMap<QuantizedWeight, FrozenWeight> frozen = new IdentityHashMap<>();
        for (Module module : model.namedModules().values()) {
            if (module instanceof WeightedLayer layer && layer.weight() instanceof QuantizedWeight w) {
                layer.setWeight(frozen.computeIfAbsent(w, _ -> new FrozenWeight(w.matrix(), dtype, computeDtype)));
            }
        }
        return model;
    }

    /// Loads a quantized model, an artifact, what `export` wrote of it for torchao, or what
    /// compressed-tensors wrote: its linear layers hold codes and scales, their inputs are quantized where
    /// the scheme says so.
    static CausalLm load(HfFolder folder, DType dtype, DType computeDtype, Device device) {
        if (TorchaoFolders.isOne(folder.config())) {
            return TorchaoFolders.load(folder, dtype, computeDtype, device);
        }
        Map<String, StoredLayer> layers =
                folder.config().has(OWN_KEY) ? layers(folder.config(), folder.dir()) : ForeignLayers.of(folder);
        ArtifactSource source = new ArtifactSource(folder, layers, dtype, computeDtype, device);
        ObjectNode config = ((ObjectNode) folder.config()).deepCopy();
        config.remove(CONFIG_KEY);
        CausalLm model = Models.build(config, source);
        Map<String, InputScale> inputScales = source.inputScales();
        source.requireAllTaken();
        model.setComputeDtype(computeDtype);
        Qat.quantizeActivations(model);
        InputCalibration.restore(model, inputScales);
        return model;
    }
}
