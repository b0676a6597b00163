package dev.halftone.format.inspect;

import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufTensor;
import dev.halftone.format.safetensors.TensorInfo;
import java.util.Arrays;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// A tensor as a table shows it.
///
/// @param type the element type, as the file's format names it
/// @param shape sizes, outermost first
/// @param elements values that it stands for; a quantized tensor's bytes say less than that
public record TensorFacts(String name, String type, long[] shape, long elements, long bytes) {
    static TensorFacts of(TensorInfo info) {
        return new TensorFacts(info.name(), info.dtype().name(), info.shape(), info.elements(), info.bytes());
    }

    static TensorFacts of(GgufTensor info) {
        return new TensorFacts(info.name(), info.typeName(), info.shape(), info.elements(), info.bytes());
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object().put("name", name).put("type", type).put("elements", elements);
        ArrayNode sizes = json.put("bytes", bytes).putArray("shape");
        Arrays.stream(shape).forEach(sizes::add);
        return json;
    }
}
