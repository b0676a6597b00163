package dev.halftone.format.gguf;

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
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.LongFunction;

/// Writes GGUF files of version 3, laid out as [GgufFile] says.
public final class GgufWriter {
    private static final int MAGIC = 0x46554747; // "GGUF"
    private static final int VERSION = 3;
    /// The format's own, which need not be stated.
    private static final int ALIGNMENT = 32;

    private final ByteArrayOutputStream header = new ByteArrayOutputStream();

    private GgufWriter() {}

    /// A tensor to write.
    ///
    /// @param shape sizes, outermost first; rows are whole blocks of `type`
    /// @param rows gives the bytes of a row, 0 to the product of all sizes but the last; each is asked
    ///     once, in turn
    public record Entry(String name, GgmlType type, long[] shape, LongFunction<MemorySegment> rows) {
        private long rowCount() {
            return Arrays.stream(shape, 0, shape.length - 1).reduce(1, Math::multiplyExact);
        }

        private long rowBytes() {
            return shape[shape.length - 1] / type.blockSize() * type.blockBytes();
        }

        long bytes() {
            return Math.multiplyExact(rowCount(), rowBytes());
        }
    }

    /// Writes a file, whole or not at all.
    ///
    /// @param metadata in the file's order
    /// @throws RunException if it cannot be written, for example because the disk is full
    /// @throws IllegalArgumentException if two tensors share a name, or a row is none of its type
    public static void write(Path path, Map<String, GgufValue> metadata, List<Entry> tensors) {
        byte[] header = new GgufWriter().header(metadata, tensors);
        AtomicFiles.writeFile(path, channel -> {
            Output out = new Output(channel);
            out.write(header);
            for (Entry e : tensors) {
                for (long r = 0; r < e.rowCount(); r++) {
                    MemorySegment row = e.rows().apply(r);
                    if (row.byteSize() != e.rowBytes()) {
                        throw new IllegalArgumentException("a row of tensor '%s' %s%s has %d bytes"
                                .formatted(e.name(), e.type(), Arrays.toString(e.shape()), row.byteSize()));
                    }
                    out.write(row.toArray(ValueLayout.JAVA_BYTE));
                }
                out.write(new byte[padding(e.bytes())]);
            }
            out.flush();
        });
    }

    private byte[] header(Map<String, GgufValue> metadata, List<Entry> tensors) {
        u32(MAGIC);
        u32(VERSION);
        u64(tensors.size());
        u64(metadata.size());
        metadata.forEach((key, value) -> {
            text(key);
            u32(value.type().id());
            value(value);
        });
        Set<String> names = new HashSet<>();
        long offset = 0;
        for (Entry e : tensors) {
            if (!names.add(e.name())
                    || e.shape()[e.shape().length - 1] % e.type().blockSize() != 0) {
                throw new IllegalArgumentException("tensor '%s' %s%s is there twice, or its rows are no whole blocks"
                        .formatted(e.name(), e.type(), Arrays.toString(e.shape())));
            }
            text(e.name());
            u32(e.shape().length);
            for (int i = e.shape().length - 1; i >= 0; i--) {
                u64(e.shape()[i]);
            }
            u32(e.type().id());
            u64(offset);
            offset += e.bytes() + padding(e.bytes());
        }
        header.writeBytes(new byte[padding(header.size())]);
        return header.toByteArray();
    }

    private static int padding(long bytes) {
        return Math.floorMod(-bytes, ALIGNMENT);
    }

    private void value(GgufValue value) {
        switch (value) {
            case GgufValue.Text(String text) -> text(text);
            case GgufValue.Bool(boolean bool) -> header.write(bool ? 1 : 0);
            case GgufValue.Array(GgufValue.Type type, List<GgufValue> values) -> {
                u32(type.id());
                u64(values.size());
                values.forEach(this::value);
            }
            case GgufValue.Whole(GgufValue.Type type, long n) -> number(n, type.bytes());
            case GgufValue.Real(GgufValue.Type type, double x) -> {
                if (type == GgufValue.Type.FLOAT32) {
                    u32(Float.floatToRawIntBits((float) x));
                } else {
                    u64(Double.doubleToRawLongBits(x));
                }
            }
        }
    }

    private void text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        u64(utf8.length);
        header.writeBytes(utf8);
    }

    private void u32(int n) {
        number(n, Integer.BYTES);
    }

    private void u64(long n) {
        number(n, Long.BYTES);
    }

    private void number(long n, int bytes) {
        for (int i = 0; i < bytes; i++) {
            header.write((int) (n >>> (Byte.SIZE * i)));
        }
    }

    /// Collects rows, which are short, into pieces that are worth a call of the operating system.
    private record Output(FileChannel channel, ByteBuffer buffer) {
        private Output(FileChannel channel) {
            this(channel, ByteBuffer.allocateDirect(1 << 20).order(ByteOrder.LITTLE_ENDIAN));
        }

        private void write(byte[] bytes) throws IOException {
            for (int at = 0; at < bytes.length; ) {
                if (!buffer.hasRemaining()) {
                    flush();
                }
                int piece = Math.min(buffer.remaining(), bytes.length - at);
                buffer.put(bytes, at, piece);
                at += piece;
            }
        }

        private void flush() throws IOException {
            buffer.flip();
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            buffer.clear();
        }
    }
}
