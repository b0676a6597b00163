package dev.halftone.format.hf;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A model folder: its configuration, and its tensors as one collection, whether they lie in `model.safetensors` or
/// in the shards that `model.safetensors.index.json` lists.
public final class HfFolder implements AutoCloseable {
    static final String CONFIG = "config.json";
    static final String WEIGHTS = "model.safetensors";
    static final String INDEX = "model.safetensors.index.json";

    private final Path dir;
    private final ObjectNode config;
    private final List<SafetensorsFile> files;
    private final Map<String, SafetensorsFile> fileOf;

    private HfFolder(Path dir, ObjectNode config, List<SafetensorsFile> files, Map<String, SafetensorsFile> fileOf) {
        this.dir = dir;
        this.config = config;
        this.files = List.copyOf(files);
        this.fileOf = Collections.unmodifiableMap(fileOf);
    }

    /// Opens a folder and checks every header in it. Weights are read when they are asked for.
    ///
    /// @throws InputException if the folder, its configuration or a shard is missing or corrupt, or the index
    ///     and the shards contradict each other
    public static HfFolder open(Path dir) {
        if (!Files.isDirectory(dir)) {
            throw new InputException(
                    "%s is not a folder. Give a folder with a config.json and safetensors files.".formatted(dir));
        }
        if (!Files.exists(dir.resolve(CONFIG))) {
            throw new InputException("%s has no config.json. Give a Hugging Face model folder.".formatted(dir));
        }
        ObjectNode config = Json.readObject(dir.resolve(CONFIG));
        List<SafetensorsFile> files = new ArrayList<>();
        boolean opened = false;
        try {
            Map<String, SafetensorsFile> fileOf = openWeights(dir, files);
            opened = true;
            return new HfFolder(dir, config, files, fileOf);
        } finally {
            if (!opened) {
                files.forEach(SafetensorsFile::close);
            }
        }
    }

    /// Whether a folder holds weights beside its configuration.
    public static boolean hasWeights(Path dir) {
        return Files.exists(dir.resolve(WEIGHTS)) || Files.exists(dir.resolve(INDEX));
    }

    private static Map<String, SafetensorsFile> openWeights(Path dir, List<SafetensorsFile> opened) {
        if (Files.exists(dir.resolve(WEIGHTS))) {
            SafetensorsFile file = SafetensorsFile.open(dir.resolve(WEIGHTS));
            opened.add(file);
            Map<String, SafetensorsFile> fileOf = new LinkedHashMap<>();
            file.tensors().keySet().forEach(name -> fileOf.put(name, file));
            return fileOf;
        }
        if (Files.exists(dir.resolve(INDEX))) {
            return openShards(dir, weightMap(dir.resolve(INDEX)), opened);
        }
        throw new InputException(
                "%s has no %s and no %s. Convert its weights to safetensors first.".formatted(dir, WEIGHTS, INDEX));
    }

    /// Tensor name to shard name, as the index has it.
    private static Map<String, String> weightMap(Path index) {
        if (!(Json.readObject(index).get("weight_map") instanceof ObjectNode map)) {
            throw new InputException("%s has no `weight_map` object. Fetch the file again.".formatted(index));
        }
        Map<String, String> shardOf = new LinkedHashMap<>();
        map.forEachEntry((name, shard) -> {
            // A name with a path in it could reach outside the folder.
            if (!shard.isString() || !shard.asString().matches("[^/\\\\]+\\.safetensors")) {
                throw new InputException(
                        "%s: tensor '%s' is said to be in %s, which is no safetensors file's name. Fetch the file again."
                                .formatted(index, name, shard));
            }
            shardOf.put(name, shard.asString());
        });
        return shardOf;
    }

    private static Map<String, SafetensorsFile> openShards(
            Path dir, Map<String, String> shardOf, List<SafetensorsFile> opened) {
        Map<String, SafetensorsFile> shards = new TreeMap<>();
        for (String shard : new TreeSet<>(shardOf.values())) {
            if (!Files.exists(dir.resolve(shard))) {
                throw new InputException(
                        "%s lists %s, which is missing. Fetch it again.".formatted(dir.resolve(INDEX), shard));
            }
            SafetensorsFile file = SafetensorsFile.open(dir.resolve(shard));
            opened.add(file);
            shards.put(shard, file);
        }
        Map<String, SafetensorsFile> fileOf = new LinkedHashMap<>();
        shards.forEach((shard, file) -> file.tensors().keySet().forEach(name -> {
            if (!shard.equals(shardOf.get(name))) {
                throw new InputException(
                        "%s contradicts its shards: %s holds the tensor '%s', which it places in %s. Fetch both again."
                                .formatted(dir.resolve(INDEX), shard, name, shardOf.getOrDefault(name, "none")));
            }
            fileOf.put(name, file);
        }));
        shardOf.forEach((name, shard) -> {
            if (!fileOf.containsKey(name)) {
                throw new InputException(
                        "%s contradicts its shards: %s does not hold the tensor '%s'. Fetch both again."
                                .formatted(dir.resolve(INDEX), shard, name));
            }
        });
        return fileOf;
    }

    public Path dir() {
        return dir;
    }

    /// `config.json`.
    public JsonNode config() {
        return config;
    }

    /// The files that hold weights, by name.
    public List<SafetensorsFile> files() {
        return files;
    }

    /// All tensors' names, file by file, in the order of their bytes.
    public Collection<String> tensorNames() {
        return fileOf.keySet();
    }

    /// Whether there is a tensor of that name.
    public boolean has(String name) {
        return fileOf.containsKey(name);
    }

    /// @throws InputException if there is no such tensor
    public TensorInfo info(String name) {
        return fileHolding(name).info(name);
    }

    /// A tensor's bytes: read-only, little endian, at any alignment, and valid until this folder is closed.
    ///
    /// @throws InputException if there is no such tensor
    public MemorySegment data(String name) {
        return fileHolding(name).data(name);
    }

    /// What the file that holds a tensor says beside its tensors.
    ///
    /// @throws InputException if there is no such tensor
    public Map<String, String> metadata(String name) {
        return fileHolding(name).metadata();
    }

    /// The file that holds a tensor, for messages.
    ///
    /// @throws InputException if there is no such tensor
    public Path file(String name) {
        return fileHolding(name).path();
    }

    private SafetensorsFile fileHolding(String name) {
        SafetensorsFile file = fileOf.get(name);
        if (file == null) {
            throw new InputException(
                    "%s has no tensor '%s'. `halftone inspect` lists what it has.".formatted(dir, name));
        }
        return file;
    }

    @Override
    public void close() {
        files.forEach(SafetensorsFile::close);
    }
}
