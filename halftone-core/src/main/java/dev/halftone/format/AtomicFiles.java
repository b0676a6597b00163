package dev.halftone.format;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Files and folders that appear whole or not at all.
///
/// Everything is written aside, under a hidden name beside the target
/// (`.model.safetensors.<process>-<random>.partial`), forced to the disk, and renamed into place, so that whoever
/// looks at the target, also after a crash or `kill -9`, sees the old content or the new. A failure removes what
/// was written aside; what a killed process left is removed by the next write to the same folder.
public final class AtomicFiles {
    private static final String SUFFIX = ".partial";
    private static final Pattern ASIDE = Pattern.compile("\\.(.*)\\.(\\d+)-[0-9a-f]{16}\\.partial");

    private AtomicFiles() {}

    /// Fills a file from its start.
    @FunctionalInterface
    public interface FileBody {
        void writeTo(FileChannel channel) throws IOException;
    }

    /// Fills an empty folder.
    @FunctionalInterface
    public interface FolderBody {
        void writeTo(Path folder) throws IOException;
    }

    /// Writes a file, replacing one that is there. Makes the folders above it.
    ///
    /// @throws RunException if the disk is full or the file cannot be written; then nothing has changed
    public static void writeFile(Path target, FileBody body) {
        write(target, (real, aside) -> {
            try (FileChannel channel = FileChannel.open(
                    aside, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                body.writeTo(channel);
                channel.force(true);
            }
            Files.move(aside, real, StandardCopyOption.ATOMIC_MOVE);
        });
    }

    /// Writes a file by its name, for who reads it again before it gets its own. Replaces one that is there.
    ///
    /// @param body writes the file that it is given, which is not there yet
    /// @throws RunException if the disk is full or the file cannot be written; then nothing has changed
    public static void writePath(Path target, FolderBody body) {
        write(target, (real, aside) -> {
            body.writeTo(aside);
            force(aside);
            Files.move(aside, real, StandardCopyOption.ATOMIC_MOVE);
        });
    }

    /// Writes `content` as a file in UTF-8.
    public static void writeString(Path target, String content) {
        writeFile(target, channel -> {
            ByteBuffer bytes = ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        });
    }

    /// Writes a folder. An empty one that is there may be filled.
    ///
    /// @param replace whether a folder that is there and not empty is replaced, with all that is in it
    /// @throws InputException if there is one and `replace` is false, or a file has that name
    /// @throws RunException if the disk is full or the folder cannot be written; then nothing has changed
    public static void writeFolder(Path target, boolean replace, FolderBody body) {
        checkFree(target, replace);
        write(target, (real, aside) -> {
            Files.createDirectory(aside);
            body.writeTo(aside);
            forceTree(aside);
            if (replace && Files.isDirectory(real)) {
                swap(aside, real);
            } else {
                Files.move(aside, real, StandardCopyOption.ATOMIC_MOVE);
            }
        });
    }

    /// Checks what [#writeFolder] checks, for commands that work long before they write.
    ///
    /// @throws InputException if `target` is a file, or a folder with something in it and `replace` is false
    public static void checkFree(Path target, boolean replace) {
        if (Files.exists(target) && !Files.isDirectory(target)) {
            throw new InputException(
                    "%s is a file, where a folder is to be written. Choose another name.".formatted(target));
        }
        if (Files.isDirectory(target) && !replace) {
            try (Stream<Path> entries = Files.list(target)) {
                if (entries.findAny().isPresent()) {
                    throw new InputException(
                            "%s exists and is not empty. Choose another folder, or remove this one first."
                                    .formatted(target));
                }
            } catch (IOException e) {
                throw failure(target, e);
            }
        }
    }

    /// Removes a folder with all that is in it, or nothing where there is none: it is renamed first, so that nobody
    /// finds half of it under its name.
    ///
    /// @throws RunException if it cannot be removed
    public static void deleteFolder(Path target) {
        if (Files.isDirectory(target)) {
            write(target, (real, aside) -> Files.move(real, aside, StandardCopyOption.ATOMIC_MOVE));
        }
    }

    @FunctionalInterface
    private interface AsideBody {
        void run(Path real, Path aside) throws IOException;
    }

    private static void write(Path target, AsideBody body) {
        try {
            Path real = Files.exists(target)
                    ? target.toRealPath()
                    : target.toAbsolutePath().normalize();
            Path parent = real.getParent();
            Path fileName = real.getFileName();
            if (parent == null || fileName == null) {
                throw new InputException("%s cannot be written to. Name a file or folder.".formatted(target));
            }
            Files.createDirectories(parent);
            removeLeftovers(parent);
            Path aside = parent.resolve(".%s.%d-%016x%s"
                    .formatted(
                            fileName,
                            ProcessHandle.current().pid(),
                            ThreadLocalRandom.current().nextLong(),
                            SUFFIX));
            try {
                body.run(real, aside);
            } finally {
                deleteTree(aside);
            }
            force(parent);
        } catch (IOException e) {
            throw failure(target, e);
        }
    }

    /// Puts `fresh` in the place of `old`, and `old` in the place of `fresh`: in one step where the operating
    /// system can, else in two renames.
    private static void swap(Path fresh, Path old) throws IOException {
        if (Exchange.tryExchange(fresh, old)) {
            return;
        }
        Path parked = fresh.resolveSibling(fresh.getFileName().toString().replace(SUFFIX, ".old"));
        Files.move(old, parked, StandardCopyOption.ATOMIC_MOVE);
        try {
            Files.move(fresh, old, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            Files.move(parked, old, StandardCopyOption.ATOMIC_MOVE);
            throw e;
        }
        deleteTree(parked);
    }

    /// Removes what processes that are gone left in a folder.
    private static void removeLeftovers(Path parent) {
        try (Stream<Path> list = Files.list(parent)) {
            for (Path entry : list.toList()) {
                Matcher m = ASIDE.matcher(entry.getFileName().toString());
                if (m.matches() && ProcessHandle.of(Long.parseLong(m.group(2))).isEmpty()) {
                    deleteTree(entry);
                }
            }
        } catch (IOException | UncheckedIOException _) {
            // Another process may be removing the same, or own it: neither is a reason not to write.
        }
    }

    private static void deleteTree(Path root) throws IOException {
        if (!Files.exists(root, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(root)) {
            paths = walk.toList().reversed();
        }
        for (Path path : paths) {
            Files.deleteIfExists(path);
        }
    }

    private static void forceTree(Path root) throws IOException {
        List<Path> paths;
        try (Stream<Path> walk = Files.walk(root)) {
            paths = walk.toList().reversed();
        }
        for (Path path : paths) {
            force(path);
        }
    }

    /// Asks the operating system to put a file's bytes, or a folder's list of names, on the disk.
    private static void force(Path path) throws IOException {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            // Some systems cannot force a folder; then a power failure, not a crash, may still undo the rename.
            if (!Files.isDirectory(path)) {
                throw e;
            }
        }
    }

    private static RunException failure(Path target, IOException e) {
        String reason = e instanceof FileSystemException fs && fs.getReason() != null ? fs.getReason() : e.getMessage();
        return new RunException(
                "%s could not be written (%s). Check free space and permissions; nothing was left there."
                        .formatted(
                                finalName(target), reason == null ? e.getClass().getSimpleName() : reason),
                e);
    }

    /// Where a file in a folder that is still written aside would end up: the user knows only that name.
    private static Path finalName(Path target) {
        Path shown = target.getRoot();
        for (Path element : target) {
            Matcher m = ASIDE.matcher(element.toString());
            String name = m.matches() ? m.group(1) : element.toString();
            shown = shown == null ? Path.of(name) : shown.resolve(name);
        }
        return shown == null ? target : shown;
    }
}
