package dev.halftone.cli;

import dev.halftone.format.Json;
import dev.halftone.format.inspect.Inspection;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import tools.jackson.databind.node.ObjectNode;

/// `halftone inspect`
@Command(
        name = "inspect",
        description = "Shows what is in a model folder, a safetensors file or a GGUF file.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone inspect models/SmolLM2-135M-Instruct",
            "  halftone inspect model.safetensors",
            "  halftone inspect SmolLM2-135M-Instruct.Q4_1.gguf --json",
        })
final class InspectCommand implements Callable<Integer> {
    /// A text or list longer than this is cut in the table and whole in JSON.
    private static final int SHOWN = 100;

    @Parameters(
            index = "0",
            paramLabel = "PATH",
            description = "A folder with a config.json, a .safetensors or a .gguf file.")
    private Path path = Path.of("");

    @Option(names = "--json", description = "Print one JSON document instead.")
    private boolean json;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        Inspection found = Inspection.of(path);
        PrintStream out = main.console().out();
        if (json) {
            out.print(Json.pretty(found.toJson()));
            return 0;
        }
        out.println("%s: %s".formatted(path, found.kind()));
        List<List<String>> known = rows(found.summary());
        known.addAll(rows(found.facts()));
        TextTable.print(out, List.of("KEY", "VALUE"), known);
        out.println();
        TextTable.print(
                out,
                List.of("TENSOR", "TYPE", "SHAPE", "BYTES"),
                found.tensors().stream()
                        .map(t -> TextTable.row(
                                t.name(), t.type(), Arrays.toString(t.shape()), "%,d".formatted(t.bytes())))
                        .toList());
        out.println();
        out.println("%,d tensors (%s), %,d values, %s"
                .formatted(found.tensors().size(), found.types(), found.elements(), TextTable.size(found.bytes())));
        return 0;
    }

    /// Keys and values, each on one line, cut to what a table has room for.
    private static List<List<String>> rows(ObjectNode object) {
        List<List<String>> rows = new ArrayList<>();
        object.forEachEntry((key, value) -> {
            String line = (value.isString() ? value.asString() : value.toString()).replaceAll("\\s+", " ");
            rows.add(List.of(key, line.length() <= SHOWN ? line : line.substring(0, SHOWN) + "…"));
        });
        return rows;
    }
}
