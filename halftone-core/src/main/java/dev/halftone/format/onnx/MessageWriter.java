package dev.halftone.format.onnx;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;

/// A protobuf message under construction. A field is a tag, `number << 3 | wire type`, and a value: a varint
/// (wire type 0) or a length and that many bytes (wire type 2), which is all that ONNX needs here.
final class MessageWriter {
    static final int VARINT = 0;
    static final int LENGTH = 2;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    MessageWriter whole(int field, long value) {
        varint((long) field << 3 | VARINT);
        varint(value);
        return this;
    }

    /// A repeated field, one tag a value.
    MessageWriter wholes(int field, long... values) {
        for (long value : values) {
            whole(field, value);
        }
        return this;
    }

    MessageWriter bytes(int field, byte[] value) {
        varint((long) field << 3 | LENGTH);
        varint(value.length);
        out.writeBytes(value);
        return this;
    }

    MessageWriter text(int field, String value) {
        return bytes(field, value.getBytes(StandardCharsets.UTF_8));
    }

    MessageWriter texts(int field, Iterable<String> values) {
        values.forEach(value -> text(field, value));
        return this;
    }

    MessageWriter message(int field, MessageWriter value) {
        return bytes(field, value.toBytes());
    }

    byte[] toBytes() {
        return out.toByteArray();
    }

    /// Seven bits a byte, the lowest first; the top bit says that more follow.
    private void varint(long value) {
        long rest = value;
        while ((rest & ~0x7FL) != 0) {
            out.write((int) (rest & 0x7F | 0x80));
            rest >>>= 7;
        }
        out.write((int) rest);
    }
}
