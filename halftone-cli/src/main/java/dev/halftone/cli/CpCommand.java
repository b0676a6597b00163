package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/// `halftone cp`
@Command(
        name = "cp",
        description = "Copies a shipped configuration, to be changed.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone cp qat .                                    ./qat.yaml",
            "  halftone cp qat configs/mine.yaml --make-parents     also makes the folder",
            "  halftone cp qat mine.yaml --no-clobber               leaves a file that is there alone",
        })
final class CpCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "CONFIG", description = "A shipped configuration; `halftone ls` lists them.")
    private String config = "";

    @Parameters(index = "1", paramLabel = "DEST", description = "A file (.yaml is added where it lacks) or a folder.")
    private Path destination = Path.of("");

    @Option(
            names = {"-n", "--no-clobber"},
            description = "Do not overwrite a file that is there.")
    private boolean noClobber;

    @Option(names = "--make-parents", description = "Make the folders above the file.")
    private boolean makeParents;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        if (!Registry.configNames().contains(config)) {
            Registry.find(config).ifPresent(recipe -> {
                throw new InputException(
                        "'%s' is a recipe, and recipes are part of the program. Copy its configuration: `halftone cp %s DEST`."
                                .formatted(config, recipe.configs().getFirst()));
            });
        }
        String text = Objects.requireNonNull(shipped(config).shipped(), "a shipped configuration has a text");
        Path file = file();
        if (noClobber && Files.exists(file)) {
            main.console().err().println("%s is there already and stays as it is.".formatted(file));
            return 0;
        }
        try {
            Path parent = file.toAbsolutePath().getParent();
            if (parent != null && makeParents) {
                Files.createDirectories(parent);
            } else if (parent != null && !Files.isDirectory(parent)) {
                throw new InputException("there is no folder %s. Make it, or add --make-parents.".formatted(parent));
            }
        } catch (IOException e) {
            throw new RunException("%s cannot be written (%s). Choose another place.".formatted(file, e), e);
        }
        AtomicFiles.writeString(file, text);
        main.console().out().println("Copied to %s".formatted(file));
        return 0;
    }

    private static ConfigFile shipped(String name) {
        ConfigFile found = ConfigFile.find(name);
        if (found.shipped() == null) {
            throw new InputException(
                    "'%s' is a file of yours, not a shipped configuration. Copy it with your system's cp."
                            .formatted(name));
        }
        return found;
    }

    private Path file() {
        if (Files.isDirectory(destination)) {
            return destination.resolve(config.substring(config.lastIndexOf('/') + 1) + ".yaml");
        }
        String name = Objects.requireNonNull(destination.getFileName(), "a path given has a name")
                .toString();
        return name.endsWith(".yaml") || name.endsWith(".yml")
                ? destination
                : destination.resolveSibling(name + ".yaml");
    }
}
