package dev.halftone.report;

import dev.halftone.metrics.JsonlMetrics;
import dev.halftone.report.Section.HeatMap;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// `health.jsonl` as heat maps: what a run's layers were like at the last look, a row for each kind of layer and a
/// column for each block of the model.
final class LayerHealthSections {
    /// `model.layers.12.self_attn.q_proj`: before the number, the number, behind it.
    private static final Pattern BLOCK = Pattern.compile("(.*?)\\.(\\d+)\\.(.+)");

    private LayerHealthSections() {}

    /// @return no section where there is no such file
    static List<Section> of(Path file) {
        List<JsonlMetrics.Row> rows = Files.exists(file) ? JsonlMetrics.read(file) : List.of();
        if (rows.isEmpty()) {
            return List.of();
        }
        JsonlMetrics.Row last = rows.getLast();
        List<Section> sections = new ArrayList<>();
        add(sections, "Layers: SQNR", "Weights against their quantization error, in dB.", "sqnr_db", last);
        add(sections, "Layers: clipped weights", "Share beyond the grid's ends.", "clipped", last);
        add(
                sections,
                "Layers: flipped codes",
                "Share of the codes that changed since the look before.",
                "flipped",
                last);
        add(sections, "Layers: scale drift", "Mean relative change of the scales since then.", "scale_drift", last);
        return sections;
    }

    private static void add(List<Section> sections, String title, String note, String figure, JsonlMetrics.Row row) {
        Map<String, Double> values = row.values();
        List<String> kinds = new ArrayList<>();
        TreeSet<Integer> blocks = new TreeSet<>();
        values.keySet().stream().filter(key -> key.endsWith("/" + figure)).forEach(key -> {
            String kind = kind(key, figure);
            if (!kinds.contains(kind)) {
                kinds.add(kind);
            }
            blocks.add(block(key));
        });
        List<Integer> columns = List.copyOf(blocks);
        double[][] cells = new double[kinds.size()][columns.size()];
        for (double[] cell : cells) {
            Arrays.fill(cell, Double.NaN);
        }
        values.forEach((key, value) -> {
            if (key.endsWith("/" + figure)) {
                cells[kinds.indexOf(kind(key, figure))][columns.indexOf(block(key))] = value;
            }
        });
        boolean any = values.entrySet().stream()
                .anyMatch(e -> e.getKey().endsWith("/" + figure) && Double.isFinite(e.getValue()));
        if (any) {
            sections.add(new HeatMap(
                    title,
                    note + " At step %d.".formatted(row.step()),
                    kinds,
                    columns.stream().map(String::valueOf).toList(),
                    cells));
        }
    }

    private static String kind(String key, String figure) {
        String layer = key.substring(0, key.length() - figure.length() - 1);
        Matcher m = BLOCK.matcher(layer);
        return m.matches() ? m.group(3) : layer;
    }

    private static int block(String key) {
        Matcher m = BLOCK.matcher(key);
        return m.matches() ? Integer.parseInt(m.group(2)) : 0;
    }
}
