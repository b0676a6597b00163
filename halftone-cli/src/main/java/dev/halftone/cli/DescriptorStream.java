package dev.halftone.cli;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/// Writes to a file descriptor that the process was started with, by POSIX `write`.
///
/// Java has streams for descriptors 0 to 2 only. Opening `/dev/fd/3` instead would open the file anew: a log would be
/// cut off, and what other programs write to it would land on top.
final class DescriptorStream extends OutputStream {
    private final int descriptor;
    private final MethodHandle write;

    DescriptorStream(int descriptor) {
        this.descriptor = descriptor;
        Linker linker = Linker.nativeLinker();
        write = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("write"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int from, int count) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer =
                    arena.allocateFrom(ValueLayout.JAVA_BYTE, Arrays.copyOfRange(bytes, from, from + count));
            for (long done = 0; done < count; ) {
                long written = call(buffer.asSlice(done), count - done);
                if (written <= 0) {
                    throw new IOException("descriptor " + descriptor + " takes no more");
                }
                done += written;
            }
        }
    }

    private long call(MemorySegment buffer, long count) throws IOException {
        try {
            return (long) write.invokeExact(descriptor, buffer, count);
        } catch (Throwable e) {
            throw new IOException("write to descriptor " + descriptor, e);
        }
    }
}
