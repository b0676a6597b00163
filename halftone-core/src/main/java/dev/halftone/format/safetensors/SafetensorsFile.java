package dev.halftone.format.safetensors;

import dev.halftone.InputException;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.MappedFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Map;

/// A safetensors file, mapped into memory.
///
/// ```text
/// 8 bytes        N, unsigned, little endian
/// N bytes        JSON: name -> {dtype, shape, data_offsets: [begin, end]}; `__metadata__`: text -> text
/// rest           the tensors, little endian, in row-major order, without holes
/// ```
///
/// Opening checks all that the header claims, so that [#data] cannot fail on a bad file.
public final class SafetensorsFile implements AutoCloseable {
    private static final int LENGTH_BYTES = Long.BYTES;
    /// The reference library's own limit.
    private static final long MAX_HEADER = 100_000_000;

    private final MappedFile file;
    private final SafetensorsHeader header;
    private final MemorySegment data;

    private SafetensorsFile(MappedFile file, SafetensorsHeader header, MemorySegment data) {
        this.file = file;
        this.header = header;
        this.data = data;
    }

    /// @throws InputException if there is no such file, or it is truncated, corrupt, or holds an unknown dtype
    public static SafetensorsFile open(Path path) {
        MappedFile file = MappedFile.open(path);
        boolean opened = false;
        try {
            SafetensorsFile result = parse(file);
            opened = true;
            return result;
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    static SafetensorsFile parse(MappedFile file) {
        MemorySegment bytes = file.bytes();
        if (bytes.byteSize() < LENGTH_BYTES) {
            throw new InputException("%s has %d bytes: too short for a safetensors file. Fetch or write it again."
                    .formatted(file.path(), bytes.byteSize()));
        }
        long length = bytes.get(LittleEndian.LONG, 0);
        long rest = bytes.byteSize() - LENGTH_BYTES;
        if (length < 0 || length > Math.min(rest, MAX_HEADER)) {
            throw new InputException(
                    "%s claims a header of %s bytes, but %d follow: it is truncated or of another kind. Fetch it again."
                            .formatted(file.path(), Long.toUnsignedString(length), rest));
        }
        MemorySegment data = bytes.asSlice(LENGTH_BYTES + length);
        byte[] json = bytes.asSlice(LENGTH_BYTES, length).toArray(ValueLayout.JAVA_BYTE);
        return new SafetensorsFile(file, SafetensorsHeader.parse(file.path(), json, data.byteSize()), data);
    }

    public Path path() {
        return file.path();
    }

    /// The tensors in the order of their bytes.
    public Map<String, TensorInfo> tensors() {
        return header.tensors();
    }

    /// `__metadata__`, empty where the file has none.
    public Map<String, String> metadata() {
        return header.metadata();
    }

    /// @throws InputException if the file has no such tensor
    public TensorInfo info(String name) {
        TensorInfo info = header.tensors().get(name);
        if (info == null) {
            throw new InputException(
                    "%s has no tensor '%s'. `halftone inspect` lists what it has.".formatted(file.path(), name));
        }
        return info;
    }

    /// A tensor's bytes: read-only, little endian, at any alignment, and valid until this file is closed.
    ///
    /// @throws InputException if the file has no such tensor
    public MemorySegment data(String name) {
        TensorInfo info = info(name);
        return data.asSlice(info.begin(), info.bytes());
    }

    @Override
    public void close() {
        file.close();
    }
}
