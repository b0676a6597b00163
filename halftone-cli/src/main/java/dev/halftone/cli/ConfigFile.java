package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.config.Config;
import dev.halftone.config.Nearest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A configuration that the user names: a file, or one of those that are shipped.
///
/// @param name as given
/// @param shipped the text of a shipped one; null for a file
record ConfigFile(String name, @Nullable String shipped) {
    /// A word such as `qat` is a shipped configuration, if there is one of that name; anything else is a file.
    ///
    /// @throws InputException if it is neither
    static ConfigFile find(String name) {
        if (Registry.configNames().contains(name)) {
            return new ConfigFile(name, read(name));
        }
        if (Files.isRegularFile(Path.of(name))) {
            return new ConfigFile(name, null);
        }
        throw new InputException("there is no configuration file or shipped configuration '%s'.%s See `halftone ls`."
                .formatted(name, Nearest.hint(name, Registry.configNames())));
    }

    Config load(List<String> overrides) {
        return shipped == null
                ? Config.load(Path.of(name), overrides)
                : Config.parse("configs/" + name + ".yaml", shipped, overrides);
    }

    /// The recipe that it is for, if that can be told.
    Optional<Recipe<?>> recipe(Config config) {
        return shipped == null ? Registry.guess(config.tree()) : Registry.ofConfig(name);
    }

    private static String read(String name) {
        try (InputStream in = ConfigFile.class.getResourceAsStream("/configs/" + name + ".yaml")) {
            if (in == null) {
                throw new RunException(
                        "configs/%s.yaml is missing from this build. Build Halftone again.".formatted(name));
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new RunException("configs/%s.yaml cannot be read (%s). Build Halftone again.".formatted(name, e), e);
        }
    }
}
