package dev.halftone.quickstart;

import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.metrics.MetricKeys;
import dev.halftone.quickstart.Quickstart.Outcome;
import dev.halftone.quickstart.Quickstart.Row;
import dev.halftone.report.HtmlReport;
import dev.halftone.report.RunReport;
import dev.halftone.report.Section.Chart;
import dev.halftone.report.Section.Facts;
import dev.halftone.report.Section.Table;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/// The quickstart's table and its `report.html`.
public final class QuickstartReport {
    /// The table's columns.
    public static final List<String> HEADER =
            List.of("model", "word perplexity", "bits per byte", "size on disk", "degradation recovered");

    private QuickstartReport() {}

    /// The table's rows.
    public static List<List<String>> rows(Outcome outcome) {
        return outcome.rows().stream().map(QuickstartReport::cells).toList();
    }

    private static List<String> cells(Row row) {
        Double recovered = row.recovered();
        return List.of(
                row.name(),
                String.format(Locale.ROOT, "%.2f", row.wordPerplexity()),
                String.format(Locale.ROOT, "%.4f", row.perplexity().total().bitsPerByte()),
                String.format(Locale.ROOT, "%.2f MB", row.bytes() / 1e6),
                recovered == null ? "-" : String.format(Locale.ROOT, "%.0f %%", 100 * recovered));
    }

    /// Writes `report.html`.
    ///
    /// @return the file
    public static Path write(Path dir, Quickstart quickstart, Outcome outcome) {
        String scheme = Objects.requireNonNull(quickstart.qat().quantizer()).label();
        Path full = quickstart.full().outputDir().resolve("metrics.jsonl");
        Path qat = quickstart.qat().outputDir().resolve("metrics.jsonl");
        String html = HtmlReport.render(
                "What quantization-aware training wins back",
                "A small Llama, quantized to %s after training and in training.".formatted(scheme),
                List.of(
                        new Table(
                                "Perplexity on held-out text",
                                HEADER,
                                rows(outcome),
                                outcome.rows().size() - 1,
                                "The degradation is what quantizing the fine-tuned float model costs; QAT saw the same data"
                                        + " for the same number of steps."),
                        new Chart(
                                "Training loss",
                                "step",
                                "nats a token",
                                List.of(
                                        RunReport.series("plain fine-tuning", full, MetricKeys.LOSS),
                                        RunReport.series("quantization-aware", qat, MetricKeys.LOSS))),
                        new Facts(
                                "Certificate of the artifact",
                                RunReport.flat(outcome.certificate().json())),
                        new Facts(
                                "Configuration of the QAT run",
                                RunReport.flat(Json.readObject(
                                                quickstart.qat().outputDir().resolve("run.json"))
                                        .path("config")))),
                "Made by `halftone quickstart` in %s".formatted(dir));
        Path file = dir.resolve("report.html");
        AtomicFiles.writeString(file, html);
        return file;
    }
}
