package dev.halftone.format.inspect;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.format.torchao.Torchao;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// What is in a Hugging Face folder.
final class FolderFacts {

    /// In compressed-tensors' packed formats a weight has its codes in this tensor, and in some its size in the next.
    private static final String PACKED = "_packed";
    private static final String SHAPE = "_shape";
    /// What else it takes to read a weight.
    private static final List<String> AUXILIARY = List.of(SHAPE, "_scale", "_global_scale", "_zero_point", "_g_idx");
    /// What it takes to quantize a layer's inputs.
    private static final List<String> INPUTS = List.of(".input_scale", ".input_zero_point", ".input_global_scale");

    private FolderFacts() {}

    static Inspection inspect(HfFolder folder) {
        JsonNode config = folder.config();
        JsonNode quantization = config.path("quantization_config");
        int files = folder.files().size();
        long parameters = folder.tensorNames().stream()
                .mapToLong(name -> parameters(folder, name))
                .sum();
        List<TensorFacts> tensors = folder.tensorNames().stream()
                .map(name -> TensorFacts.of(folder.info(name)))
                .toList();
        long bytes = tensors.stream().mapToLong(TensorFacts::bytes).sum();

        ObjectNode summary = Json.object();
        summary.put(
                "architecture",
                config.at("/architectures/0").asString(config.path("model_type").asString("?")));
        summary.put("parameters", parameters).put("bits_per_weight", Inspection.bitsPerWeight(bytes, parameters));
        summary.put("weight_files", files);
        if (quantization.isObject()) {
            String format = quantization.path("format").asString("");
            summary.put("quantization", (quantization.path("quant_method").asString("?") + " " + format).strip());
        }
        addTokenizer(summary, folder.dir());
        return new Inspection(
                folder.dir(),
                "Hugging Face folder, %d weight file%s%s"
                        .formatted(files, files == 1 ? "" : "s", quantization.isObject() ? ", quantized" : ""),
                summary,
                (ObjectNode) config,
                tensors);
    }

    /// How many weights of the model a tensor stands for.
    private static long parameters(HfFolder folder, String name) {
        if (name.endsWith(PACKED)) {
            String shape = name.substring(0, name.length() - PACKED.length()) + SHAPE;
            // Without a shape it is e2m1, two codes a byte.
            return folder.has(shape)
                    ? product(folder, shape)
                    : 2 * folder.info(name).elements();
        }
        if (name.contains(Torchao.PREFIX)) {
            return name.endsWith(Torchao.CODES) ? folder.info(name).elements() : 0;
        }
        if (INPUTS.stream().anyMatch(name::endsWith)) {
            return 0;
        }
        for (String suffix : AUXILIARY) {
            String weight = name.endsWith(suffix) ? name.substring(0, name.length() - suffix.length()) : "";
            if (folder.has(weight) || folder.has(weight + PACKED)) {
                return 0;
            }
        }
        return folder.info(name).elements();
    }

    private static long product(HfFolder folder, String name) {
        TensorInfo info = folder.info(name);
        MemorySegment data = folder.data(name);
        long product = 1;
        for (long i = 0; i < info.elements(); i++) {
            long size = switch (info.dtype()) {
                case I64 -> data.getAtIndex(LittleEndian.LONG, i);
                case I32 -> data.getAtIndex(LittleEndian.INT, i);
                default -> -1;
            };
            if (size < 0 || Math.multiplyHigh(product, size) != 0 || product * size < 0) {
                throw new InputException("%s: tensor '%s' is not the shape of a weight. Fetch it again."
                        .formatted(folder.file(name), name));
            }
            product *= size;
        }
        return product;
    }

    private static void addTokenizer(ObjectNode summary, Path dir) {
        Path file = dir.resolve("tokenizer.json");
        if (Files.exists(file)) {
            ObjectNode tokenizer = Json.readObject(file);
            summary.put("tokenizer", tokenizer.at("/model/type").asString("?"));
            summary.put("tokens", tokenizer.at("/model/vocab").size() + addedBeyond(tokenizer));
        }
        Path config = dir.resolve("tokenizer_config.json");
        summary.put(
                "chat_template",
                Files.exists(dir.resolve("chat_template.jinja"))
                        || (Files.exists(config) && Json.readObject(config).has("chat_template")));
    }

    /// Added tokens that the vocabulary itself does not have.
    private static long addedBeyond(ObjectNode tokenizer) {
        JsonNode vocab = tokenizer.at("/model/vocab");
        return tokenizer.path("added_tokens").values().stream()
                .filter(t -> vocab.isObject() && !vocab.has(t.path("content").asString("")))
                .count();
    }
}
