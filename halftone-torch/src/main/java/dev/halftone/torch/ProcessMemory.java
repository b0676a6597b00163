package dev.halftone.torch;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.bytedeco.javacpp.Pointer;

/// The memory of this process as the operating system sees it: Java's heap, tensors, and libraries.
public final class ProcessMemory {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final String HIGH_WATER_MARK = "VmHWM:";

    private ProcessMemory() {}

    /// Bytes that are in physical memory now.
    public static long resident() {
        return Pointer.physicalBytes();
    }

    /// The highest that [#resident()] has been. Only Linux tells; elsewhere this is the present value.
    public static long peak() {
        if (Files.isReadable(STATUS)) {
            try (var lines = Files.lines(STATUS)) {
                return lines.filter(l -> l.startsWith(HIGH_WATER_MARK))
                        .mapToLong(l -> Long.parseLong(l.replaceAll("\\D", "")) << 10)
                        .findFirst()
                        .orElseGet(ProcessMemory::resident);
            } catch (IOException e) {
                return resident();
            }
        }
        return resident();
    }
}
