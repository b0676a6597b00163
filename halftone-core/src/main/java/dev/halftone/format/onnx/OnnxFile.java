package dev.halftone.format.onnx;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.MappedFile;
import java.lang.foreign.MemorySegment;
import java.nio.BufferUnderflowException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;

/// A model that [OnnxWriter] wrote, read again: its weights by their names.
public final class OnnxFile implements AutoCloseable {
    private final Path folder;
    private final MappedFile model;
    private final MappedFile data;
    private final Map<String, OnnxTensor> weights;

    private OnnxFile(Path folder, MappedFile model, MappedFile data) {
        this.folder = folder;
        this.model = model;
        this.data = data;
        try {
            Message graph =
                    Message.parse(model.bytes().asByteBuffer()).messages(7).getFirst();
            weights = new LinkedHashMap<>();
            graph.messages(5).stream()
                    .map(OnnxTensor::of)
                    .filter(t -> t.inline() == null)
                    .forEach(t -> weights.put(t.name(), t));
        } catch (BufferUnderflowException | IllegalArgumentException | NoSuchElementException | ArithmeticException e) {
            throw damaged(e.toString());
        }
        weights.values().forEach(t -> {
            if (t.offset() < 0 || t.offset() > data.bytes().byteSize() - t.bytes()) {
                throw damaged("'%s' lies beyond the end of %s".formatted(t.name(), OnnxTensor.DATA));
            }
        });
    }

    /// Whether a folder holds a model of this kind.
    public static boolean isOne(Path folder) {
        return Files.exists(folder.resolve(OnnxWriter.MODEL));
    }

    /// @throws InputException if a file is missing, or is none that [OnnxWriter] writes
    public static OnnxFile open(Path folder) {
        MappedFile model = MappedFile.open(folder.resolve(OnnxWriter.MODEL));
        MappedFile data = null;
        boolean opened = false;
        try {
            data = MappedFile.open(folder.resolve(OnnxTensor.DATA));
            OnnxFile file = new OnnxFile(folder, model, data);
            opened = true;
            return file;
        } finally {
            if (!opened) {
                model.close();
                if (data != null) {
                    data.close();
                }
            }
        }
    }

    /// The graph's bytes.
    public MemorySegment model() {
        return model.bytes();
    }

    /// Names of the weights, in the file's order.
    public Set<String> names() {
        return Collections.unmodifiableSet(weights.keySet());
    }

    public boolean has(String weight) {
        return weights.containsKey(weight);
    }

    /// @throws InputException if there is no such weight
    public DType dtype(String weight) {
        return tensor(weight).dtype();
    }

    /// @throws InputException if there is no such weight
    public long[] shape(String weight) {
        return tensor(weight).shape().clone();
    }

    /// A weight's bytes, little endian, valid until this is closed.
    ///
    /// @throws InputException if there is no such weight
    public MemorySegment data(String weight) {
        OnnxTensor tensor = tensor(weight);
        return data.bytes().asSlice(tensor.offset(), tensor.bytes());
    }

    /// How a quantized weight's codes are laid out, as its shape tells; empty where each has a byte of its
    /// own.
    ///
    /// @throws InputException if there is no such weight
    public Optional<NBits> layout(String weight, int columns) {
        long[] shape = tensor(weight).shape();
        if (shape.length != 3 || shape[1] == 0 || columns % shape[1] != 0) {
            return Optional.empty();
        }
        long block = columns / shape[1];
        return Optional.of(new NBits(Math.toIntExact(shape[2] * Byte.SIZE / block), Math.toIntExact(block)));
    }

    private OnnxTensor tensor(String name) {
        OnnxTensor tensor = weights.get(name);
        if (tensor == null) {
            throw new InputException(
                    "%s has no weight '%s', which config.json asks for. Take both from the same export."
                            .formatted(folder, name));
        }
        return tensor;
    }

    private InputException damaged(String why) {
        return new InputException("%s is no model that `export` writes, or is damaged (%s). Export the artifact again."
                .formatted(folder.resolve(OnnxWriter.MODEL), why));
    }

    @Override
    public void close() {
        model.close();
        data.close();
    }
}
