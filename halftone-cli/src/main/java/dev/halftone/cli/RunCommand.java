package dev.halftone.cli;

import dev.halftone.config.Config;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.RecipeConfig;
import dev.halftone.format.Json;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import tools.jackson.databind.node.ObjectNode;

/// `halftone run`
@Command(
        name = "run",
        description = "Runs a recipe.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone run qat --config qat",
            "  halftone run qat_distributed --config my_torchtune_file.yaml dataset.data_files=[train.json]",
            "  halftone run qat --config qat checkpoint_dir=models/mine optimizer.lr=1e-5 ~clip_grad_norm",
            "  halftone run eval --config eval checkpoint_dir=models/mine 'data_files=[a.txt,b.txt]' --json",
        })
final class RunCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "RECIPE", description = "A recipe; `halftone ls` lists them.")
    private String recipeName = "";

    @Parameters(
            index = "1..*",
            paramLabel = "OVERRIDE",
            description = "key=value sets a key of the configuration, ~key removes one.")
    private List<String> overrides = List.of();

    @Option(
            names = "--config",
            required = true,
            paramLabel = "CONFIG",
            description = "A shipped configuration or a YAML file.")
    private String configName = "";

    @Option(names = "--json", description = "Print the results as one JSON document.")
    private boolean json;

    @ArgGroup(validate = false, heading = "%nAs torchrun takes them, for one process on one machine:%n")
    private final LaunchOptions launch = new LaunchOptions();

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        Recipe<?> recipe = Registry.named(recipeName);
        launch.requireOneProcess();
        Config loaded = ConfigFile.find(configName).load(overrides);
        Config.Bound<? extends RecipeConfig> bound = recipe.bind(loaded);
        Console console = main.console();
        if (!bound.ignored().isEmpty()) {
            console.err().println(ValidateCommand.warning(bound.ignored()));
        }
        if (bound.value() instanceof FinetuneConfig) {
            Interruption.defer(console);
        }
        ObjectNode results = RecipeRun.run(recipe, bound.value(), new ConsoleEvents(console, !json));
        if (json) {
            console.out().print(Json.pretty(results));
        }
        return 0;
    }
}
