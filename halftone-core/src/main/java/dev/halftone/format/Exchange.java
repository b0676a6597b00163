package dev.halftone.format;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.FileSystems;
import java.nio.file.Path;
import java.util.Optional;

/// Two paths exchanged in one step, which Java's own file API has no call for: Linux' `renameat2` with
/// `RENAME_EXCHANGE`.
final class Exchange {
    private static final int AT_FDCWD = -100;
    private static final int RENAME_EXCHANGE = 2;

    private static final Optional<MethodHandle> RENAMEAT2 = lookup();

    private Exchange() {}

    private static Optional<MethodHandle> lookup() {
        Linker linker = Linker.nativeLinker();
        return linker.defaultLookup()
                .find("renameat2")
                .map(symbol -> linker.downcallHandle(
                        symbol,
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_INT,
                                ValueLayout.ADDRESS,
                                ValueLayout.JAVA_INT,
                                ValueLayout.ADDRESS,
                                ValueLayout.JAVA_INT)));
    }

    /// Exchanges `a` and `b`, both existing, or changes nothing.
    ///
    /// @return false if this system or file system cannot
    static boolean tryExchange(Path a, Path b) {
        if (RENAMEAT2.isEmpty() || !a.getFileSystem().equals(FileSystems.getDefault())) {
            return false;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = arena.allocateFrom(a.toAbsolutePath().toString());
            MemorySegment to = arena.allocateFrom(b.toAbsolutePath().toString());
            return (int) RENAMEAT2.get().invokeExact(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException("renameat2 could not be called", e);
        }
    }
}
