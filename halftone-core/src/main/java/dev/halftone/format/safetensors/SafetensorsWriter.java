package dev.halftone.format.safetensors;

import dev.halftone.DType;
import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Supplier;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/// Writes safetensors files, byte for byte as the reference library does: tensors sorted by dtype, widest first,
/// then by name, and the header padded with spaces to a multiple of 8 bytes, so that each tensor is aligned to its
/// elements.
///
/// (The reference library shuffles `__metadata__`; here its keys are sorted, so that equal content is equal bytes.)
public final class SafetensorsWriter {
    private static final int ALIGNMENT = 8;
    /// Bytes handed to the operating system at once.
    private static final long CHUNK = 1 << 20;

    private static final JsonFactory JSON = new JsonFactory();

    private static final Comparator<Entry> ORDER = Comparator.comparing(Entry::dtype)
            .reversed()
            .thenComparing(e -> e.name().getBytes(StandardCharsets.UTF_8), Arrays::compareUnsigned);

    private SafetensorsWriter() {}

    /// A tensor to write.
    ///
    /// @param shape sizes, outermost first; empty for a scalar
    /// @param data gives the bytes: little endian, row-major, native or heap memory. It is asked once, when
    ///     the tensor is due, and read before the next one is asked: a large model need not be in memory at once.
    public record Entry(String name, DType dtype, long[] shape, Supplier<MemorySegment> data) {
        /// Size in bytes.
        public long bytes() {
            return Arrays.stream(shape).reduce(dtype.bytes(), Math::multiplyExact);
        }
    }

    /// Writes a file, whole or not at all.
    ///
    /// @throws RunException if it cannot be written, for example because the disk is full
    /// @throws IllegalArgumentException if two tensors share a name or one's data has another size than its shape
    public static void write(Path path, Map<String, String> metadata, List<Entry> tensors) {
        List<Entry> sorted = tensors.stream().sorted(ORDER).toList();
        byte[] header = header(metadata, sorted);
        AtomicFiles.writeFile(path, channel -> {
            ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            write(channel, length.putLong(header.length).flip());
            write(channel, ByteBuffer.wrap(header));
            for (Entry e : sorted) {
                MemorySegment data = e.data().get();
                if (data.byteSize() != e.bytes()) {
                    throw new IllegalArgumentException("tensor '%s' %s%s has %d bytes of data"
                            .formatted(e.name(), e.dtype(), Arrays.toString(e.shape()), data.byteSize()));
                }
                for (long at = 0; at < data.byteSize(); at += CHUNK) {
                    write(channel, buffer(data.asSlice(at, Math.min(CHUNK, data.byteSize() - at))));
                }
            }
        });
    }

    private static byte[] header(Map<String, String> metadata, List<Entry> sorted) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Set<String> names = new HashSet<>();
        try (JsonGenerator g = JSON.createGenerator(ObjectWriteContext.empty(), out)) {
            g.writeStartObject();
            if (!metadata.isEmpty()) {
                g.writeName("__metadata__");
                g.writeStartObject();
                new TreeMap<>(metadata).forEach(g::writeStringProperty);
                g.writeEndObject();
            }
            long position = 0;
            for (Entry e : sorted) {
                if (!names.add(e.name())) {
                    throw new IllegalArgumentException("two tensors are named '%s'".formatted(e.name()));
                }
                g.writeName(e.name());
                g.writeStartObject();
                g.writeStringProperty("dtype", e.dtype().name());
                g.writeName("shape");
                g.writeArray(e.shape(), 0, e.shape().length);
                g.writeName("data_offsets");
                g.writeArray(new long[] {position, position + e.bytes()}, 0, 2);
                g.writeEndObject();
                position += e.bytes();
            }
            g.writeEndObject();
        }
        while (out.size() % ALIGNMENT != 0) {
            out.write(' ');
        }
        return out.toByteArray();
    }

    /// `piece` as channels take it: of heap memory they take byte arrays only.
    private static ByteBuffer buffer(MemorySegment piece) {
        return piece.isNative() ? piece.asByteBuffer() : ByteBuffer.wrap(piece.toArray(ValueLayout.JAVA_BYTE));
    }

    private static void write(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }
}
