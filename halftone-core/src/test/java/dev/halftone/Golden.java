package dev.halftone;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/// Golden files of the test class path, `golden/…`, as paths.
public final class Golden {
    private Golden() {}

    /// A file or folder below `golden/`, such as `hf/llama_tied`.
    public static Path path(String name) {
        URL url = Golden.class.getResource("/golden/" + name);
        if (url == null) {
            throw new IllegalArgumentException("no golden data '%s' on the class path".formatted(name));
        }
        try {
            URI uri = url.toURI();
            return uri.getScheme().equals("file") ? Path.of(uri) : unpacked(uri);
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Other modules find these files in a jar, where they cannot be mapped into memory: copies them out.
    private static Path unpacked(URI uri) throws IOException {
        try (FileSystem _ = FileSystems.newFileSystem(uri, Map.of())) {
            Path source = Path.of(uri);
            Path folder = Files.createTempDirectory("halftone-golden");
            List<Path> entries;
            try (Stream<Path> walk = Files.walk(source)) {
                entries = walk.toList();
            }
            Path result = folder.resolve(source.getFileName().toString());
            folder.toFile().deleteOnExit();
            for (Path entry : entries) {
                Path target = result.resolve(source.relativize(entry).toString());
                Files.copy(entry, target);
                target.toFile().deleteOnExit();
            }
            return result;
        }
    }
}
