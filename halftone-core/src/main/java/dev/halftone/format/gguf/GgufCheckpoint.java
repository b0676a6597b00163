package dev.halftone.format.gguf;

import dev.halftone.DType;
import dev.halftone.InputException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/// A GGUF file as a checkpoint: transformers' names, its configuration, and rows in its order.
public final class GgufCheckpoint implements AutoCloseable {
    private final GgufFile file;
    private final GgufModel model;
    private final Map<String, GgufModel.Slot> slots = new LinkedHashMap<>();

    private GgufCheckpoint(GgufFile file) {
        this.file = file;
        this.model = new GgufModel(file);
        model.slots().forEach(slot -> slots.put(slot.hf(), slot));
    }

    /// @throws InputException if there is no such file, or it holds no model that is supported
    public static GgufCheckpoint open(Path path) {
        GgufFile file = GgufFile.open(path);
        boolean opened = false;
        try {
            GgufCheckpoint result = new GgufCheckpoint(file);
            opened = true;
            return result;
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    public Path path() {
        return file.path();
    }

    /// `config.json` of a model whose weights have this type.
    public ObjectNode config(DType dtype) {
        return model.config(dtype);
    }

    /// The names of all tensors.
    public Set<String> names() {
        return slots.keySet();
    }

    /// @throws InputException if there is no such tensor
    public long[] shape(String name) {
        return slot(name).shape();
    }

    /// @throws InputException if there is no such tensor, or its type cannot be read
    public GgmlType type(String name) {
        return file.requireReadable(slot(name).gguf());
    }

    /// The bytes of row `r`: read-only, and valid until this is closed. A vector has a row for each element.
    ///
    /// @throws InputException if there is no such tensor, or its type cannot be read
    public MemorySegment row(String name, long r) {
        GgufModel.Slot slot = slot(name);
        MemorySegment data = file.data(slot.gguf());
        long rows = slot.shape()[0];
        long bytes = data.byteSize() / rows;
        return data.asSlice(Architecture.fileRow(r, rows, slot.permutedHeads()) * bytes, bytes);
    }

    private GgufModel.Slot slot(String name) {
        GgufModel.Slot slot = slots.get(name);
        if (slot == null) {
            throw new InputException("%s has no tensor for '%s'. Convert the model again with a current llama.cpp."
                    .formatted(file.path(), name));
        }
        return slot;
    }

    @Override
    public void close() {
        file.close();
    }
}
