package dev.halftone.format.gguf;

import dev.halftone.InputException;
import dev.halftone.format.MappedFile;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;

/// A GGUF file of version 2 or 3, mapped into memory.
///
/// ```text
/// "GGUF", u32 version, u64 number of tensors, u64 number of metadata entries
/// entries     key, u32 type, value
/// tensors     name, u32 number of dimensions, u64 sizes (innermost first), u32 type, u64 offset
/// padding     to a multiple of `general.alignment`, 32 where that is not given
/// data        each tensor at its offset
/// ```
///
/// Texts are a u64 length and UTF-8. Opening checks every count, length, shape and offset against the file's size.
public final class GgufFile implements AutoCloseable {
    private final MappedFile file;
    private final GgufReader.Content content;

    private GgufFile(MappedFile file, GgufReader.Content content) {
        this.file = file;
        this.content = content;
    }

    /// @throws InputException if there is no such file, or it is truncated, corrupt, or of another version
    public static GgufFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        boolean opened = false;
        try {
            GgufFile result = parse(file);
            opened = true;
            return result;
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    static GgufFile parse(MappedFile file) {
        return new GgufFile(file, new GgufReader(file.path(), file.bytes()).read());
    }

    public Path path() {
        return file.path();
    }

    /// Size of the file in bytes.
    public long size() {
        return file.bytes().byteSize();
    }

    public int version() {
        return content.version();
    }

    public GgufMetadata metadata() {
        return content.metadata();
    }

    /// The tensors in the file's order.
    public Map<String, GgufTensor> tensors() {
        return content.tensors();
    }

    /// @throws InputException if the file has no such tensor
    public GgufTensor info(String name) {
        GgufTensor info = tensors().get(name);
        if (info == null) {
            throw new InputException(
                    "%s has no tensor '%s'. `halftone inspect` lists what it has.".formatted(path(), name));
        }
        return info;
    }

    /// A tensor's bytes as they are in the file: read-only, and valid until this file is closed.
    ///
    /// @throws InputException if the file has no such tensor
    public MemorySegment data(String name) {
        GgufTensor info = info(name);
        return content.data().asSlice(info.begin(), info.bytes());
    }

    /// A tensor's weights, row-major.
    ///
    /// @throws InputException if the file has no such tensor, or its type cannot be read
    public float[] dequantize(String name) {
        float[] out = new float[Math.toIntExact(info(name).elements())];
        dequantize(name, 0, out, out.length);
        return out;
    }

    /// Part of a tensor's weights, row-major.
    ///
    /// @param first index of the first weight, a multiple of the type's block size
    /// @param out receives them from index 0
    /// @param count how many, a multiple of the type's block size
    /// @throws InputException if the file has no such tensor, or its type cannot be read
    public void dequantize(String name, long first, float[] out, int count) {
        GgmlType type = requireReadable(name);
        GgmlType.Decoder decoder = type.decoder().orElseThrow();
        MemorySegment data = data(name);
        long at = first / type.blockSize() * type.blockBytes();
        for (int o = 0; o < count; o += type.blockSize()) {
            decoder.decode(data, at, out, o);
            at += type.blockBytes();
        }
    }

    /// @throws InputException if the file has no such tensor, or its type cannot be read
    GgmlType requireReadable(String name) {
        GgufTensor info = info(name);
        return info.type()
                .filter(t -> t.decoder().isPresent())
                .orElseThrow(() -> new InputException(
                        "%s: tensor '%s' is of %s, which cannot be read. Use a file in Q8_0 or Q4_K, for example."
                                .formatted(path(), name, info.typeName())));
    }

    @Override
    public void close() {
        file.close();
    }
}
