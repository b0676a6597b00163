package dev.halftone.format.gguf;

import dev.halftone.InputException;
import dev.halftone.format.LittleEndian;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/// Reads a file from its start, and never beyond its end.
///
/// Lengths and counts in the file are claims: each is held against the bytes that are left before anything is
/// allocated for it.
final class Cursor {

    private final Path file;
    private final MemorySegment bytes;
    private long position;

    Cursor(Path file, MemorySegment bytes) {
        this.file = file;
        this.bytes = bytes;
    }

    long position() {
        return position;
    }

    /// @param what is read, for the message
    int u32(String what) {
        return take(Integer.BYTES, what).get(LittleEndian.INT, 0);
    }

    long u64(String what) {
        return take(Long.BYTES, what).get(LittleEndian.LONG, 0);
    }

    /// A number of things to come, each of which takes `minBytes` or more.
    long count(String what, long minBytes) {
        long count = u64(what);
        if (count < 0 || count > remaining() / minBytes) {
            throw corrupt("it claims %s %s, which do not fit into the %d bytes that are left"
                    .formatted(Long.toUnsignedString(count), what, remaining()));
        }
        return count;
    }

    /// A length and as many bytes of UTF-8.
    String text(String what) {
        long length = u64(what);
        if (length > Integer.MAX_VALUE) {
            throw corrupt("%s claims to be %d bytes long".formatted(what, length));
        }
        byte[] utf8 = take(length, what).toArray(ValueLayout.JAVA_BYTE);
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(utf8))
                    .toString();
        } catch (CharacterCodingException e) {
            throw corrupt("%s at byte %d is not valid UTF-8".formatted(what, position - length));
        }
    }

    /// The next `length` bytes, which are not copied.
    MemorySegment take(long length, String what) {
        if (length < 0 || length > remaining()) {
            throw corrupt("it ends at byte %d, within %s (is it truncated?)".formatted(bytes.byteSize(), what));
        }
        MemorySegment slice = bytes.asSlice(position, length);
        position += length;
        return slice;
    }

    InputException corrupt(String what) {
        return new InputException("%s is corrupt: %s. Fetch it again.".formatted(file, what));
    }

    private long remaining() {
        return bytes.byteSize() - position;
    }
}
