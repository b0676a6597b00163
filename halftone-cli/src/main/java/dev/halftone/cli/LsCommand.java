package dev.halftone.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ParentCommand;

/// `halftone ls`
@Command(
        name = "ls",
        description = "Lists the recipes, their shipped configurations and their names in torchtune.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone ls",
            "  halftone run qat --config qat          run one of them",
            "  halftone cp qat my_qat.yaml            or start from a copy",
        })
final class LsCommand implements Callable<Integer> {
    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        List<List<String>> rows = new ArrayList<>();
        for (Recipe<?> recipe : Registry.ALL) {
            int lines = Math.max(recipe.configs().size(), recipe.aliases().size());
            for (int i = 0; i < lines; i++) {
                rows.add(List.of(
                        i == 0 ? recipe.name() : "",
                        i < recipe.configs().size() ? recipe.configs().get(i) : "",
                        i < recipe.aliases().size() ? recipe.aliases().get(i) : ""));
            }
        }
        TextTable.print(main.console().out(), List.of("RECIPE", "CONFIG", "ALSO NAMED"), rows);
        return 0;
    }
}
