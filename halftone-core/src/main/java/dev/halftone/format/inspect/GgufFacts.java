package dev.halftone.format.inspect;

import dev.halftone.format.Json;
import dev.halftone.format.gguf.GgufFile;
import dev.halftone.format.gguf.GgufMetadata;
import dev.halftone.format.gguf.GgufTensor;
import dev.halftone.format.gguf.GgufValue;
import java.util.List;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// What is in a GGUF file.
final class GgufFacts {
    /// Longer arrays are vocabularies: their length and first values say enough.
    private static final int WHOLE = 16;
    private static final int FIRST = 4;

    private GgufFacts() {}

    static Inspection inspect(GgufFile file) {
        GgufMetadata metadata = file.metadata();
        List<GgufTensor> tensors = List.copyOf(file.tensors().values());
        long parameters = tensors.stream().mapToLong(GgufTensor::elements).sum();
        long bytes = tensors.stream().mapToLong(GgufTensor::bytes).sum();
        ObjectNode summary = Json.object();
        metadata.text("general.architecture").ifPresent(a -> summary.put("architecture", a));
        summary.put("parameters", parameters).put("bits_per_weight", Inspection.bitsPerWeight(bytes, parameters));
        metadata.text("tokenizer.ggml.model").ifPresent(m -> summary.put("tokenizer", m));
        metadata.texts("tokenizer.ggml.tokens").ifPresent(t -> summary.put("tokens", t.size()));
        summary.put("chat_template", metadata.has("tokenizer.chat_template"));
        ObjectNode facts = Json.object();
        metadata.values().forEach((key, value) -> {
            if (value instanceof GgufValue.Array array && array.values().size() > WHOLE) {
                ObjectNode cut =
                        facts.putObject(key).put("length", array.values().size());
                addAll(cut.putArray("first"), array.values().subList(0, FIRST));
            } else {
                addAll(facts.putArray(key), List.of(value));
                facts.set(key, facts.get(key).get(0));
            }
        });
        return new Inspection(
                file.path(),
                "GGUF file, version " + file.version(),
                summary,
                facts,
                tensors.stream().map(TensorFacts::of).toList());
    }

    private static void addAll(ArrayNode to, List<GgufValue> values) {
        for (GgufValue value : values) {
            switch (value) {
                case GgufValue.Whole w when w.type() == GgufValue.Type.UINT64 && w.value() < 0 -> to.add(w.toString());
                case GgufValue.Whole w -> to.add(w.value());
                // Its own decimal digits, and not those of the double beside it.
                case GgufValue.Real r when r.type() == GgufValue.Type.FLOAT32 -> to.add((float) r.value());
                case GgufValue.Real r -> to.add(r.value());
                case GgufValue.Bool b -> to.add(b.value());
                case GgufValue.Text t -> to.add(t.value());
                case GgufValue.Array a -> addAll(to.addArray(), a.values());
            }
        }
    }
}
