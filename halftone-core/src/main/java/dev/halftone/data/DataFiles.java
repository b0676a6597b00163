package dev.halftone.data;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Stream;

/// The files that `data_files` means: files as they are, folders and globs as what they hold, sorted by path.
final class DataFiles {
    private DataFiles() {}

    /// @param accepted which files of a folder are data; a file that is named itself, or matches a glob, always is
    /// @throws InputException if a path leads to no file
    static List<Path> resolve(List<Path> paths, Predicate<Path> accepted) {
        List<Path> files = new ArrayList<>();
        for (Path path : paths) {
            if (Files.isRegularFile(path)) {
                files.add(path);
                continue;
            }
            boolean folder = Files.isDirectory(path);
            if (!folder && !isGlob(path.toString())) {
                throw new InputException("data_files: %s does not exist. Check the path.".formatted(path));
            }
            List<Path> found = folder ? walk(path, accepted) : glob(path);
            if (found.isEmpty()) {
                throw new InputException("data_files: %s %s. Check the path."
                        .formatted(path, folder ? "holds no .txt, .json or .jsonl file" : "matches no file"));
            }
            files.addAll(found);
        }
        return files;
    }

    private static boolean isGlob(String path) {
        return path.chars().anyMatch(c -> c == '*' || c == '?' || c == '[' || c == '{');
    }

    private static List<Path> glob(Path pattern) {
        Path absolute = pattern.toAbsolutePath().normalize();
        Path base = absolute;
        while (base.getParent() != null && isGlob(base.toString())) {
            base = base.getParent();
        }
        if (!Files.isDirectory(base)) {
            return List.of();
        }
        PathMatcher matcher = FileSystems.getDefault().getPathMatcher("glob:" + absolute);
        return walk(base, matcher::matches);
    }

    private static List<Path> walk(Path folder, Predicate<Path> accepted) {
        try (Stream<Path> paths = Files.walk(folder)) {
            return paths.filter(Files::isRegularFile)
                    .filter(path -> !path.getFileName().toString().startsWith("."))
                    .filter(accepted)
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new RunException(
                    "data_files: %s cannot be listed (%s). Check its permissions.".formatted(folder, e.getMessage()),
                    e);
        }
    }
}
