package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.format.compressed.CompressedTensors;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.format.torchao.TensorClass;
import dev.halftone.format.torchao.Torchao;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.nn.Parameter;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// Quantized models as folders of torchao's tensors ([Torchao]), which transformers loads. `config.json` says
/// besides, as an artifact's does, what was quantized to which scheme.
public final class TorchaoFolders {
    private TorchaoFolders() {}

    /// Whether a configuration says that torchao's tensors stand beside it, Halftone's or others.
    static boolean isOne(JsonNode config) {
        return config.path(QuantizedFolders.CONFIG_KEY)
                .path("quant_method")
                .asString("")
                .equals(Torchao.METHOD);
    }

    /// Writes an artifact.
    ///
    /// @param model the artifact, loaded; its schemes fit
    /// @param artifact its folder
    /// @param maxShardBytes size above which weights go into several files
    public static void save(Path dir, CausalLm model, Path artifact, long maxShardBytes) {
        Map<String, Parameter> parameters = model.namedParameters();
        Map<String, ObjectNode> quantized = new LinkedHashMap<>();
        List<Entry> entries = new ArrayList<>();
        try (TensorFiles.Source source = new TensorFiles.Source()) {
            parameters.forEach((name, p) -> entries.add(source.entry(name, p.dtype(), p.shape(), p::master)));
            QuantizedFolders.distinct(model).forEach((layer, w) -> {
                quantized.put(layer + ".weight", Torchao.tensor(w.scheme(), w.dtype(), w.shape()));
                entries.addAll(entries(layer + Torchao.PREFIX, w, source));
            });
            ObjectNode config = Json.readObject(artifact.resolve("config.json"));
            config.set(QuantizedFolders.CONFIG_KEY, config(model));
            Map<String, String> metadata = Torchao.metadata(quantized, parameters.keySet());
            AtomicFiles.writeFolder(dir, false, folder -> {
                HfWriter.writeInto(folder, config, metadata, entries, maxShardBytes);
                HfWriter.copySideFiles(artifact, folder);
            });
        }
    }

    private static List<Entry> entries(String prefix, QuantizedWeight w, TensorFiles.Source source) {
        TensorClass type = Torchao.tensorClass(w.scheme());
        return type.parts(w.grid(), w.shape()).stream()
                .map(part -> source.entry(
                        prefix + part.name(),
                        part.dtype(),
                        part.shape(),
                        () -> TorchaoTensors.part(type, part, w.quantized())))
                .toList();
    }

    private static ObjectNode config(CausalLm model) {
        Map<QuantScheme, List<String>> layers = new LinkedHashMap<>();
        Map<String, QuantizedWeight> quantized = QuantizedFolders.quantizedWeights(model);
        quantized.forEach((name, w) ->
                layers.computeIfAbsent(w.scheme(), _ -> new ArrayList<>()).add(name));
        return Torchao.config(
                layers, QuantizedFolders.floatLinears(model), quantized.containsKey(CompressedTensors.TABLE));
    }

    /// @throws InputException if it is torchao's own, or its parts don't fit
    static CausalLm load(HfFolder folder, DType dtype, DType computeDtype, Device device) {
        if (!folder.config().has(QuantizedFolders.OWN_KEY)) {
            throw new InputException(
                    "%s was quantized by torchao, and of its folders Halftone reads those that `export` wrote. Give the float model."
                            .formatted(folder.dir()));
        }
        Map<String, StoredLayer> layers = QuantizedFolders.layers(folder.config(), folder.dir());
        TorchaoSource source = new TorchaoSource(folder, layers, dtype, computeDtype, device);
        ObjectNode config = ((ObjectNode) folder.config()).deepCopy();
        config.remove(QuantizedFolders.CONFIG_KEY);
        CausalLm model = Models.build(config, source);
        source.requireAllTaken();
        model.setComputeDtype(computeDtype);
        Qat.quantizeActivations(model);
        return model;
    }
}
