package dev.halftone.format.torchao;

import dev.halftone.format.Json;
import tools.jackson.databind.node.ObjectNode;

/// Objects of torchao's as its JSON has them: `{"_type": class, "_data": fields, or the name of a constant}`.
final class TorchaoJson {
    static final String TYPE = "_type";
    private static final String DATA = "_data";

    private TorchaoJson() {}

    static ObjectNode typed(String type, ObjectNode data) {
        ObjectNode json = Json.object().put(TYPE, type);
        json.set(DATA, data);
        return json;
    }

    static ObjectNode named(String type, String constant) {
        return Json.object().put(TYPE, type).put(DATA, constant);
    }

    static ObjectNode dtype(String name) {
        return named("torch.dtype", name);
    }

    static ObjectNode mapping(boolean symmetric) {
        return named("MappingType", symmetric ? "SYMMETRIC" : "ASYMMETRIC");
    }

    static ObjectNode granularity(String type, String field, int value) {
        return typed(type, Json.object().put(field, value));
    }
}
