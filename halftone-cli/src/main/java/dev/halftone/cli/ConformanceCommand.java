package dev.halftone.cli;

import dev.halftone.config.schema.KernelChoice;
import dev.halftone.conformance.CaseResult;
import dev.halftone.conformance.Conformance;
import dev.halftone.conformance.ConformanceReport;
import dev.halftone.format.Json;
import dev.halftone.kernel.Kernels;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/// `halftone conformance`
@Command(
        name = "conformance",
        description = "Runs golden cases of other libraries on this machine and says where the results differ.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone conformance golden/quant                 quantization: a folder with an index.json",
            "  halftone conformance golden/models/hf             models: folders with an io.safetensors",
            "  halftone conformance golden/quant --kernels aten --json",
        })
final class ConformanceCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "FOLDER", description = "Golden cases, or a folder of such folders.")
    private Path folder = Path.of("");

    @Option(
            names = "--kernels",
            paramLabel = "KERNELS",
            description = "The implementation to try: ${COMPLETION-CANDIDATES}; else the fastest one here.")
    private @Nullable KernelChoice kernels;

    @Option(names = "--json", description = "Print one JSON document instead.")
    private boolean json;

    @ParentCommand
    @SuppressWarnings("NullAway.Init") // by picocli
    private Main main;

    @Override
    public Integer call() {
        ConformanceReport report = Conformance.run(folder, kernels == null ? null : Kernels.valueOf(kernels.name()));
        if (json) {
            main.console().out().print(Json.pretty(report.toJson()));
        } else {
            TextTable.print(
                    main.console().out(),
                    List.of("CASE", "RESULT", "MAX ERROR", "DETAIL"),
                    report.cases().stream().map(ConformanceCommand::row).toList());
            main.console()
                    .out()
                    .println("%n%d passed, %d failed, %d not supported yet"
                            .formatted(report.passed(), report.failed(), report.unsupported()));
        }
        return report.failed() == 0 ? 0 : 1;
    }

    private static List<String> row(CaseResult result) {
        String error = switch (result.status()) {
            case PASSED, DIFFERS -> String.format(Locale.ROOT, "%.2g", result.maxError());
            case UNSUPPORTED -> "-";
        };
        return List.of(result.name(), result.status().name().toLowerCase(Locale.ROOT), error, result.detail());
    }
}
