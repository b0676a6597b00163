package dev.halftone.format.gguf;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/// A GGUF file seen as a checkpoint of transformers: its configuration and tokenizer, and its tensors by transformers'
/// names, in their own blocks.
///
/// Rows that llama.cpp's converter moved ([GgufImport]) are where transformers has them.
public final class GgufCheckpoint implements AutoCloseable {
    private final GgufFile file;
    private final GgufModel model;
    private final GgufTokenizer tokenizer;
    private final Map<String, GgufModel.Slot> slots = new LinkedHashMap<>();

    private GgufCheckpoint(GgufFile file) {
        this.file = file;
        model = new GgufModel(file);
        model.slots().forEach(slot -> slots.put(slot.hf(), slot));
        tokenizer = new GgufTokenizer(file.metadata(), model.vocab());
        slots.values().forEach(slot -> file.requireReadable(slot.gguf()));
    }

    /// @throws InputException if the file is corrupt, or its architecture, quantization or tokenizer is not supported
    public static GgufCheckpoint open(Path path) {
        GgufFile file = GgufFile.open(path);
        boolean opened = false;
        try {
            GgufCheckpoint checkpoint = new GgufCheckpoint(file);
            opened = true;
            return checkpoint;
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    /// Whether a path means a GGUF file, by its name.
    public static boolean isOne(Path path) {
        return path.toString().toLowerCase(Locale.ROOT).endsWith(".gguf") && !Files.isDirectory(path);
    }

    public Path path() {
        return file.path();
    }

    GgufFile file() {
        return file;
    }

    List<GgufModel.Slot> slots() {
        return List.copyOf(slots.values());
    }

    /// `model_type` of the configuration.
    public String architecture() {
        return model.architecture().label();
    }

    /// `config.json`.
    ///
    /// @param dtype of the weights
    public ObjectNode config(DType dtype) {
        return model.config(dtype);
    }

    /// Writes what a Hugging Face folder has beside its weights.
    ///
    /// @param dtype of the weights that the configuration names
    public void writeWithoutWeights(Path folder, DType dtype) {
        Json.write(folder.resolve("config.json"), config(dtype));
        writeSideFiles(folder);
    }

    void writeSideFiles(Path folder) {
        Json.write(folder.resolve("generation_config.json"), model.generationConfig());
        tokenizer.writeInto(folder);
    }

    /// The names of all tensors.
    public Set<String> names() {
        return slots.keySet();
    }

    /// Whether the checkpoint has a tensor of this name.
    public boolean has(String name) {
        return slots.containsKey(name);
    }

    /// Sizes of a tensor that it has.
    public long[] shape(String name) {
        return slot(name).shape().clone();
    }

    /// How the values of a tensor that it has are stored.
    public GgmlType type(String name) {
        return file.requireReadable(slot(name).gguf());
    }

    /// The values of a tensor, row-major.
    public float[] values(String name) {
        GgufModel.Slot slot = slot(name);
        int columns = slot.columns();
        float[] out = new float[Math.toIntExact(slot.shape()[0] * columns)];
        float[] row = new float[columns];
        for (int r = 0; r < slot.shape()[0]; r++) {
            file.dequantize(slot.gguf(), slot.fileRow(r) * columns, row, columns);
            System.arraycopy(row, 0, out, r * columns, columns);
        }
        return out;
    }

    /// Bytes of a tensor.
    public long bytes(String name) {
        return file.info(slot(name).gguf()).bytes();
    }

    /// Copies a tensor's blocks, row after row; those of the file leave memory again.
    ///
    /// @param to as large as [#bytes]
    public void copyBlocks(String name, MemorySegment to) {
        GgufModel.Slot slot = slot(name);
        long rows = slot.shape()[0];
        long rowBytes = file.info(slot.gguf()).bytes() / rows;
        for (long r = 0; r < rows; r++) {
            MemorySegment.copy(row(name, r), 0, to, r * rowBytes, rowBytes);
        }
        file.data(slot.gguf()).unload();
    }

    /// The bytes of row `r` of a tensor: read-only, and valid until this is closed. A vector has a row for each
    /// element.
    public MemorySegment row(String name, long r) {
        GgufModel.Slot slot = slot(name);
        MemorySegment data = file.data(slot.gguf());
        long bytes = data.byteSize() / slot.shape()[0];
        return data.asSlice(slot.fileRow(r) * bytes, bytes);
    }

    private GgufModel.Slot slot(String name) {
        GgufModel.Slot slot = slots.get(name);
        if (slot == null) {
            throw new InputException(
                    "%s has no tensor for '%s'. `halftone inspect` lists what it has.".formatted(file.path(), name));
        }
        return slot;
    }

    @Override
    public void close() {
        file.close();
    }
}
