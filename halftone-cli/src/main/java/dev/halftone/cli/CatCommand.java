package dev.halftone.cli;

import dev.halftone.config.Config;
import dev.halftone.config.Reference;
import dev.halftone.config.YamlWriter;
import java.io.PrintStream;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/// `halftone cat`
@Command(
        name = "cat",
        description = "Prints a configuration, and below it the keys that it leaves at their defaults.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone cat qat                       a shipped configuration",
            "  halftone cat mine.yaml --sort          a file of yours, keys in alphabetical order",
            "  halftone run qat --config qat batch_size=4 optimizer.lr=1e-5",
            "                                         override what you saw",
        })
final class CatCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "CONFIG", description = "A shipped configuration or a YAML file.")
    private String config = "";

    @Option(names = "--sort", description = "Print the keys in alphabetical order.")
    private boolean sort;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        ConfigFile file = ConfigFile.find(config);
        Config loaded = file.load(List.of());
        PrintStream out = main.console().out();
        out.print(YamlWriter.write(sort ? loaded.tree().sorted() : loaded.tree()));
        file.recipe(loaded).ifPresent(recipe -> printDefaults(out, recipe, loaded));
        return 0;
    }

    private static void printDefaults(PrintStream out, Recipe<?> recipe, Config config) {
        List<Reference.KeyDoc> unset = Reference.keys(recipe.schema()).stream()
                .filter(k -> config.tree().at(k.name()) == null
                        && k.also().stream().allMatch(a -> config.tree().at(a) == null))
                .toList();
        if (unset.isEmpty()) {
            return;
        }
        out.println("# Further keys of the recipe %s and their defaults:".formatted(recipe.name()));
        int width = unset.stream().mapToInt(k -> setting(k).length()).max().orElse(0);
        for (Reference.KeyDoc key : unset) {
            out.println("#   %s   %s"
                    .formatted(setting(key) + " ".repeat(width - setting(key).length()), key.doc()));
        }
    }

    private static String setting(Reference.KeyDoc key) {
        return key.name() + ": " + (key.otherwise().isEmpty() ? "…" : key.otherwise());
    }
}
