package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufCheckpoint;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/// Models in Hugging Face folders (float ones, the artifacts that [QuantizedFolders] writes, and what
/// compressed-tensors wrote), in GGUF files and in the ONNX folders that `export` writes.
public final class Checkpoints {
    private Checkpoints() {}

    /// Loads a model, float or quantized, to compute in `dtype` throughout.
    ///
    /// @throws InputException if the path is none of them, or its configuration and its weights don't fit
    public static CausalLm load(Path dir, DType dtype, Device device) {
        return load(dir, dtype, dtype, device);
    }

    /// Loads a model, float or quantized.
    ///
    /// @param dtype what floating point weights are converted to; codes and scales of an artifact are taken as
    ///     they are
    /// @param computeDtype what the products of linear layers are computed in: see [CausalLm#setComputeDtype]
    /// @throws InputException if the path is none of them, or its configuration and its weights don't fit
    public static CausalLm load(Path dir, DType dtype, DType computeDtype, Device device) {
        if (GgufCheckpoint.isOne(dir)) {
            return loadGguf(dir, dtype, computeDtype, device);
        }
        if (OnnxFolders.isOne(dir)) {
            return OnnxFolders.load(dir, dtype, computeDtype, device);
        }
        try (HfFolder folder = HfFolder.open(dir)) {
            return QuantizedFolders.isQuantized(folder)
                    ? QuantizedFolders.load(folder, dtype, computeDtype, device)
                    : loadFloat(folder, dtype, computeDtype, device, null);
        }
    }

    /// Loads a model whose weights stay packed beneath adapters: an artifact or a GGUF file as it stands, or a float
    /// model whose weights `packing` packs as they are read.
    ///
    /// @param packing null for a model that is quantized already; a float model then stays in float
    /// @throws InputException as [#load], and if a quantized model is to be packed again
    public static CausalLm loadBase(
            Path dir, DType dtype, DType computeDtype, Device device, @Nullable Packing packing) {
        if (GgufCheckpoint.isOne(dir)) {
            refuse(packing, dir);
            return loadGguf(dir, dtype, computeDtype, device);
        }
        if (OnnxFolders.isOne(dir)) {
            refuse(packing, dir);
            return QuantizedFolders.freeze(OnnxFolders.load(dir, dtype, computeDtype, device), dtype, computeDtype);
        }
        try (HfFolder folder = HfFolder.open(dir)) {
            if (QuantizedFolders.isQuantized(folder)) {
                refuse(packing, dir);
                return QuantizedFolders.freeze(
                        QuantizedFolders.load(folder, dtype, computeDtype, device), dtype, computeDtype);
            }
            return loadFloat(folder, dtype, computeDtype, device, packing);
        }
    }

    private static void refuse(@Nullable Packing packing, Path path) {
        if (packing != null) {
            throw new InputException(
                    "%s is quantized already, and is used as it stands. Remove quantize_base and base_quantizer."
                            .formatted(path));
        }
    }

    private static CausalLm loadGguf(Path path, DType dtype, DType computeDtype, Device device) {
        try (GgufCheckpoint checkpoint = GgufCheckpoint.open(path)) {
            CausalLm model =
                    Models.build(checkpoint.config(dtype), new GgufSource(checkpoint, dtype, computeDtype, device));
            model.setComputeDtype(computeDtype);
            return model;
        }
    }

    /// Loads a float model, to be trained or quantized.
    ///
    /// @throws InputException as [#load], and if the folder holds a quantized model
    public static CausalLm loadFloat(Path dir, DType dtype, DType computeDtype, Device device) {
        if (GgufCheckpoint.isOne(dir)) {
            throw new InputException(
                    "%s is a GGUF file, whose weights stay as they are: lora, eval and generate take it. Make a folder of it with `halftone import`."
                            .formatted(dir));
        }
        if (OnnxFolders.isOne(dir)) {
            throw quantizedAlready(dir);
        }
        try (HfFolder folder = HfFolder.open(dir)) {
            if (QuantizedFolders.isQuantized(folder)) {
                throw quantizedAlready(dir);
            }
            return loadFloat(folder, dtype, computeDtype, device, null);
        }
    }

    private static InputException quantizedAlready(Path dir) {
        return new InputException(
                "%s is quantized already. Give the float model that it was made from.".formatted(dir));
    }

    private static CausalLm loadFloat(
            HfFolder folder, DType dtype, DType computeDtype, Device device, @Nullable Packing packing) {
        CausalLm model = Models.load(
                folder,
                dtype,
                device,
                source -> packing == null ? source : new PackingSource(source, computeDtype, packing));
        model.setComputeDtype(computeDtype);
        return model;
    }

    /// The model that a folder's `config.json` describes, with random weights: those that the folder has are not
    /// read.
    ///
    /// @param seed same seed, same numbers
    /// @throws InputException if the configuration is missing, wrong or of an unsupported family
    public static CausalLm initialise(Path dir, long seed, DType dtype, DType computeDtype, Device device) {
        CausalLm model = Models.initialise(Json.readObject(dir.resolve("config.json")), seed, dtype, device);
        model.setComputeDtype(computeDtype);
        return model;
    }

    /// Writes the trained values of a float model, or of one prepared for quantization, each in the dtype that
    /// it has in the folder which the model was loaded from, with everything else of that folder. Where it has no
    /// weights, its configuration names the dtype.
    ///
    /// @param original the folder that the model was loaded from
    /// @param maxShardBytes size above which weights go into several files
    /// @param replace whether a model folder that is there is replaced
    public static void saveFloat(Path dir, CausalLm model, Path original, long maxShardBytes, boolean replace) {
        ObjectNode config = Json.readObject(original.resolve("config.json"));
        config.remove(List.of(QuantizedFolders.CONFIG_KEY, QuantizedFolders.OWN_KEY));
        Function<String, DType> dtypes = dtypes(original, config);
        try (TensorFiles.Source source = new TensorFiles.Source()) {
            List<Entry> entries = model.namedWeights().entrySet().stream()
                    .map(e -> source.entry(
                            e.getKey(), dtypes.apply(e.getKey()), e.getValue().shape(), e.getValue()::adapted))
                    .toList();
            HfWriter.write(dir, config, entries, maxShardBytes, original, replace);
        }
    }

    /// Writes the values that an artifact's codes stand for, and what it has in float, as a float model.
    ///
    /// @param model the artifact, loaded
    /// @param artifact its folder
    /// @param maxShardBytes size above which weights go into several files
    public static void saveValues(Path dir, CausalLm model, Path artifact, long maxShardBytes) {
        ObjectNode config = Json.readObject(artifact.resolve("config.json"));
        config.remove(List.of(QuantizedFolders.CONFIG_KEY, QuantizedFolders.OWN_KEY));
        List<Entry> entries = new ArrayList<>();
        try (TensorFiles.Source source = new TensorFiles.Source()) {
            model.namedParameters()
                    .forEach((name, p) -> entries.add(source.entry(name, p.dtype(), p.shape(), p::master)));
            QuantizedFolders.distinct(model).forEach((name, w) -> {
                config.put("dtype", w.dtype().torchName());
                entries.add(source.entry(name + ".weight", w.dtype(), w.shape(), w::value));
            });
            HfWriter.write(dir, config, entries, maxShardBytes, artifact, false);
        }
    }

    private static Function<String, DType> dtypes(Path original, ObjectNode config) {
        DType dtype = DType.parse(
                config.path("dtype").asString(config.path("torch_dtype").asString("float32")));
        if (!HfFolder.hasWeights(original)) {
            return _ -> dtype;
        }
        try (HfFolder folder = HfFolder.open(original)) {
            Map<String, DType> dtypes = folder.tensorNames().stream()
                    .collect(Collectors.toMap(
                            name -> name, name -> folder.info(name).dtype()));
            // An artifact has codes in place of a weight.
            return name -> dtypes.getOrDefault(name, dtype);
        }
    }
}
