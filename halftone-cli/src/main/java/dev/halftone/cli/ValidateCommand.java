package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.config.Config;
import dev.halftone.config.Ignored;
import dev.halftone.config.schema.RecipeConfig;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/// `halftone validate`
@Command(
        name = "validate",
        description = "Checks a configuration, and lists the keys in it that have no effect.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone validate mine.yaml",
            "  halftone validate qat batch_size=4 ~clip_grad_norm      with overrides, as `run` takes them",
            "  halftone validate mine.yaml --recipe full               where the keys do not say what it is for",
        })
final class ValidateCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "CONFIG", description = "A shipped configuration or a YAML file.")
    private String config = "";

    @Parameters(index = "1..*", paramLabel = "OVERRIDE", description = "key=value sets a key, ~key removes one.")
    private List<String> overrides = List.of();

    @Option(names = "--recipe", paramLabel = "RECIPE", description = "What it is for; else its keys decide.")
    private @Nullable String recipeName;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        ConfigFile file = ConfigFile.find(config);
        Config loaded = file.load(overrides);
        Recipe<?> recipe = recipeName != null
                ? Registry.named(recipeName)
                : file.recipe(loaded)
                        .orElseThrow(() -> new InputException(
                                "%s: its keys do not say which recipe it is for. Add --recipe with one of: %s."
                                        .formatted(config, String.join(", ", Registry.names()))));
        Config.Bound<? extends RecipeConfig> bound = recipe.bind(loaded);
        main.console().out().println("%s is a valid configuration for the recipe %s.".formatted(config, recipe.name()));
        if (!bound.ignored().isEmpty()) {
            main.console().out().println();
            TextTable.print(
                    main.console().out(),
                    List.of("NO EFFECT", "WHERE", "WHY"),
                    bound.ignored().stream()
                            .map(i -> List.of(i.key(), i.where().toString(), i.why()))
                            .toList());
        }
        return 0;
    }

    /// The one line that a run prints about keys without effect.
    static String warning(List<Ignored> ignored) {
        return "Without effect here: %s. `halftone validate` says why."
                .formatted(String.join(", ", ignored.stream().map(Ignored::key).toList()));
    }
}
