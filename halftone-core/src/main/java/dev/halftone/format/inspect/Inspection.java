package dev.halftone.format.inspect;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufFile;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.onnx.OnnxFile;
import dev.halftone.format.safetensors.SafetensorsFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.TreeMap;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// What is in a checkpoint, read from its headers alone.
///
/// @param kind what it is, in words
/// @param summary what was found out: numbers of parameters, bits a weight takes, tokenizer, …; flat
/// @param facts what it says of itself: `config.json`, or a file's metadata, in its order
/// @param tensors in its order
public record Inspection(Path path, String kind, ObjectNode summary, ObjectNode facts, List<TensorFacts> tensors) {
    /// Looks at a model folder, a safetensors file or a GGUF file.
    ///
    /// @throws InputException if it is none of these, or corrupt
    public static Inspection of(Path path) {
        if (!Files.exists(path)) {
            throw new InputException("%s is not there. Check the path.".formatted(path));
        }
        if (OnnxFile.isOne(path)) {
            throw new InputException(
                    "%s holds an ONNX model, whose tensors are not listed here. Its certificate.json says what is in it."
                            .formatted(path));
        }
        if (Files.isDirectory(path)) {
            try (HfFolder folder = HfFolder.open(path)) {
                return FolderFacts.inspect(folder);
            }
        }
        String name = path.toString().toLowerCase(Locale.ROOT);
        if (name.endsWith(".safetensors")) {
            try (SafetensorsFile file = SafetensorsFile.open(path)) {
                return safetensors(file);
            }
        }
        if (name.endsWith(".gguf")) {
            try (GgufFile file = GgufFile.open(path)) {
                return GgufFacts.inspect(file);
            }
        }
        throw new InputException(
                "%s is neither a folder nor a .safetensors or .gguf file. Name one of these.".formatted(path));
    }

    private static Inspection safetensors(SafetensorsFile file) {
        ObjectNode facts = Json.object();
        new TreeMap<>(file.metadata()).forEach(facts::put);
        List<TensorFacts> tensors =
                file.tensors().values().stream().map(TensorFacts::of).toList();
        return new Inspection(file.path(), "safetensors file", Json.object(), facts, tensors);
    }

    /// Values of all tensors together.
    public long elements() {
        return tensors.stream().mapToLong(TensorFacts::elements).sum();
    }

    /// Bytes of all tensors together.
    public long bytes() {
        return tensors.stream().mapToLong(TensorFacts::bytes).sum();
    }

    /// How many tensors there are of each type: `BF16 211, F32 61`.
    public String types() {
        return tensors.stream()
                .collect(Collectors.groupingBy(TensorFacts::type, TreeMap::new, Collectors.counting()))
                .entrySet()
                .stream()
                .map(e -> e.getKey() + " " + e.getValue())
                .collect(Collectors.joining(", "));
    }

    /// Everything, as one document.
    public ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("path", path.toString())
                .put("kind", kind)
                .put("elements", elements())
                .put("bytes", bytes())
                .put("types", types());
        json.set("summary", summary);
        json.set("facts", facts);
        ArrayNode list = json.putArray("tensors");
        tensors.forEach(t -> list.add(t.toJson()));
        return json;
    }

    /// Bits that a weight takes on average, to two digits.
    static double bitsPerWeight(long bytes, long parameters) {
        return parameters == 0 ? 0 : Math.round(800.0 * bytes / parameters) / 100.0;
    }
}
