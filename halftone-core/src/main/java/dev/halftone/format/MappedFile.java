package dev.halftone.format;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A file's bytes in memory, read-only and loaded by the operating system as they are touched.
///
/// @param path the file
/// @param bytes its content; not accessible once this is closed
public record MappedFile(Path path, MemorySegment bytes, Arena arena) implements AutoCloseable {
    /// @throws InputException if `path` is not a file that can be read
    public static MappedFile open(Path path) {
        if (Files.isDirectory(path)) {
            throw new InputException("%s is a folder, not a file. Name a file in it.".formatted(path));
        }
        Arena arena = Arena.ofShared();
        boolean mapped = false;
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            var file =
                    new MappedFile(path, channel.map(FileChannel.MapMode.READ_ONLY, 0, channel.size(), arena), arena);
            mapped = true;
            return file;
        } catch (NoSuchFileException e) {
            throw new InputException("%s does not exist. Check the path.".formatted(path), e);
        } catch (AccessDeniedException e) {
            throw new InputException("%s cannot be read. Check its permissions.".formatted(path), e);
        } catch (IOException e) {
            throw new RunException(
                    "%s could not be read (%s). Check the disk and try again.".formatted(path, e.getMessage()), e);
        } finally {
            if (!mapped) {
                arena.close();
            }
        }
    }

    @Override
    public void close() {
        arena.close();
    }
}
