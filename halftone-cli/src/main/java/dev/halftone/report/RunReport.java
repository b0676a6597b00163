package dev.halftone.report;

import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.metrics.JsonlMetrics;
import dev.halftone.metrics.MetricKeys;
import dev.halftone.report.Section.Chart;
import dev.halftone.report.Section.Facts;
import dev.halftone.report.Section.Series;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/// `report.html` of a run: what its `run.json` and `metrics.jsonl` say, to be looked at.
public final class RunReport {
    private RunReport() {}

    /// Writes `report.html` into the folder of a run.
    ///
    /// @return the file
    public static Path write(Path dir) {
        JsonNode run = Json.readObject(dir.resolve("run.json"));
        List<Section> sections = new ArrayList<>();
        sections.add(new Facts("Results", flat(run.path("results"))));
        List<JsonlMetrics.Row> rows = JsonlMetrics.read(dir.resolve("metrics.jsonl"));
        chart(sections, "Loss", "nats a token", rows, MetricKeys.LOSS, MetricKeys.VALIDATION_LOSS);
        chart(sections, "Gradient norm", "L2, before clipping", rows, MetricKeys.GRAD_NORM);
        chart(sections, "Learning rate", "rate", rows, MetricKeys.LR);
        chart(sections, "Speed", "tokens a second", rows, MetricKeys.TOKENS_PER_SECOND);
        sections.addAll(LayerHealthSections.of(dir.resolve("health.jsonl")));
        sections.add(new Facts("Configuration", flat(run.path("config"))));
        sections.add(new Facts(
                "Circumstances",
                flat(Json.object()
                        .setAll(Map.of(
                                "data",
                                run.path("data"),
                                "kernels",
                                run.path("kernels"),
                                "on",
                                run.path("versions"))))));
        Path file = dir.resolve("report.html");
        AtomicFiles.writeString(
                file,
                HtmlReport.render(
                        "Run " + dir.toAbsolutePath().normalize().getFileName(),
                        "Recipe %s, %s."
                                .formatted(
                                        run.path("recipe").asString(),
                                        run.path("status").asString()),
                        sections,
                        "Made by Halftone from run.json and metrics.jsonl in %s".formatted(dir)));
        return file;
    }

    /// The values of one metric over the steps.
    public static Series series(String name, Path metrics, String key) {
        return series(name, JsonlMetrics.read(metrics), key);
    }

    private static Series series(String name, List<JsonlMetrics.Row> rows, String key) {
        List<JsonlMetrics.Row> with =
                rows.stream().filter(r -> r.values().containsKey(key)).toList();
        return new Series(
                name,
                with.stream().mapToDouble(JsonlMetrics.Row::step).toArray(),
                with.stream()
                        .mapToDouble(r -> r.values().getOrDefault(key, Double.NaN))
                        .toArray());
    }

    private static void chart(
            List<Section> sections, String title, String unit, List<JsonlMetrics.Row> rows, String... keys) {
        Set<String> present =
                rows.stream().flatMap(r -> r.values().keySet().stream()).collect(Collectors.toSet());
        List<Series> series = new ArrayList<>();
        for (String key : keys) {
            if (present.contains(key)) {
                series.add(series(key, rows, key));
            }
        }
        if (!series.isEmpty()) {
            sections.add(new Chart(title, "step", unit, series));
        }
    }

    /// A JSON object as dotted names and values.
    public static Map<String, String> flat(JsonNode node) {
        Map<String, String> facts = new LinkedHashMap<>();
        flatten("", node, facts);
        return facts;
    }

    private static void flatten(String path, JsonNode node, Map<String, String> to) {
        if (node.isObject()) {
            node.properties()
                    .forEach(e -> flatten(path.isEmpty() ? e.getKey() : path + "." + e.getKey(), e.getValue(), to));
        } else {
            to.put(path, node.isString() ? node.asString() : node.toString());
        }
    }
}
