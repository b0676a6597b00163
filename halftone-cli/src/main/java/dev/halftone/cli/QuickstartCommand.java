package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.format.Json;
import dev.halftone.quickstart.Quickstart;
import dev.halftone.quickstart.Quickstart.Outcome;
import dev.halftone.quickstart.Quickstart.Row;
import dev.halftone.quickstart.QuickstartReport;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// `halftone quickstart`
@Command(
        name = "quickstart",
        description = {
            "Shows the whole story on a small model that is part of the repository: what quantization costs, and what"
                    + " quantization-aware training wins back.",
            "It runs the recipes eval, quantize, full and qat with configs/quickstart/*.yaml, which can be run one by one too.",
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone quickstart",
            "  halftone quickstart seed=2 quantizer.weight_dtype=int3 --output-dir runs/int3",
        })
final class QuickstartCommand implements Callable<Integer> {
    @Parameters(
            index = "0..*",
            paramLabel = "OVERRIDE",
            description = "key=value changes both trainings; quantizer… the quantized one.")
    private List<String> overrides = List.of();

    @Option(
            names = "--output-dir",
            paramLabel = "DIR",
            description = "Where the runs go, a new folder (default: runs/quickstart, then runs/quickstart-2, …).")
    private @Nullable Path outputDir;

    @Option(names = "--json", description = "Print the results as one JSON document.")
    private boolean json;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        Path root = Path.of(System.getProperty("halftone.root", ".")).resolve("quickstart");
        if (!Files.isDirectory(root)) {
            throw new InputException(
                    "quickstart: its model and texts are part of a clone, and there are none in %s. Run it from a clone's root."
                            .formatted(root.toAbsolutePath().getParent()));
        }
        Path dir = outputDir == null ? unused() : outputDir;
        if (Files.exists(dir)) {
            throw new InputException("--output-dir: %s exists already. Choose another folder.".formatted(dir));
        }
        Quickstart quickstart = new Quickstart(
                finetuning("quickstart/full", root, "finetune", dir.resolve("full"), plainOverrides()),
                finetuning("quickstart/qat", root, "finetune", dir.resolve("qat"), overrides),
                texts(root.resolve("text/heldout")));
        Console console = main.console();
        Outcome outcome = quickstart.run(dir, new ConsoleEvents(console, false));
        Path report = QuickstartReport.write(dir, quickstart, outcome);
        if (json) {
            console.out().print(Json.pretty(json(outcome, report)));
        } else {
            console.err().println();
            TextTable.print(console.out(), QuickstartReport.HEADER, QuickstartReport.rows(outcome));
            console.err().println();
            console.err().println("Certified: " + outcome.certificate().summary());
            console.err().println("The quantized model: " + outcome.artifact());
            console.err().println("The report:          " + report);
        }
        return 0;
    }

    private static FinetuneConfig finetuning(
            String config, Path root, String texts, Path outputDir, List<String> overrides) {
        List<String> all = new ArrayList<>(List.of(
                "checkpoint_dir='%s'".formatted(root.resolve("base-model")),
                "dataset.data_files=['%s']".formatted(root.resolve("text").resolve(texts)),
                "output_dir='%s'".formatted(outputDir)));
        all.addAll(overrides);
        return ConfigFile.find(config).load(all).bind(FinetuneConfig.class).value();
    }

    /// The overrides that a training without a quantizer understands.
    private List<String> plainOverrides() {
        return overrides.stream()
                .filter(o -> !o.matches("~?(quantizer|fake_quant_after_n_steps)\\b.*"))
                .toList();
    }

    private static List<Path> texts(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.sorted().toList();
        } catch (IOException e) {
            throw new InputException("quickstart: %s cannot be read (%s). Clone again.".formatted(folder, e), e);
        }
    }

    private static Path unused() {
        Path dir = Path.of("runs", "quickstart");
        for (int i = 2; Files.exists(dir); i++) {
            dir = Path.of("runs", "quickstart-" + i);
        }
        return dir;
    }

    private static ObjectNode json(Outcome outcome, Path report) {
        ObjectNode json = Json.object();
        ArrayNode rows = json.putArray("rows");
        for (Row row : outcome.rows()) {
            rows.addObject()
                    .put("model", row.name())
                    .put("word_perplexity", row.wordPerplexity())
                    .put("bits_per_byte", row.perplexity().total().bitsPerByte())
                    .put("bytes", row.bytes())
                    .put("recovered", row.recovered());
        }
        json.set("certificate", outcome.certificate().json());
        return json.put("artifact", outcome.artifact().toString()).put("report", report.toString());
    }
}
