package dev.halftone.metrics;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/// `metrics.jsonl`: one JSON object a line, `{"step":1,"loss":2.5,…}`, doubles in full precision, so that two
/// runs can be compared bit for bit. Each line reaches the operating system as it is logged: a killed process
/// loses none.
public final class JsonlMetrics implements MetricSink {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String STEP = "step";

    private final Path file;
    private final BufferedWriter out;

    /// The metrics of one step.
    public record Row(long step, Map<String, Double> values) {}

    private JsonlMetrics(Path file, BufferedWriter out) {
        this.file = file;
        this.out = out;
    }

    /// Opens `file` to go on after `lastStep`: lines of later steps, which an interrupted run wrote after its
    /// last checkpoint, and a line cut short are dropped, so that each step stands in the file once.
    ///
    /// @param lastStep 0 for a new run
    public static JsonlMetrics open(Path file, long lastStep) {
        try {
            List<String> kept = lastStep > 0 && Files.exists(file) ? linesUpTo(file, lastStep) : List.of();
            Path aside = file.resolveSibling(file.getFileName() + ".tmp");
            Files.write(aside, kept);
            Files.move(aside, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
            return new JsonlMetrics(
                    file, Files.newBufferedWriter(file, StandardCharsets.UTF_8, StandardOpenOption.APPEND));
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    private static List<String> linesUpTo(Path file, long lastStep) throws IOException {
        List<String> kept = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            try {
                if (JSON.readTree(line).path(STEP).asLong(Long.MAX_VALUE) <= lastStep) {
                    kept.add(line);
                }
            } catch (JacksonException cutShort) {
                break;
            }
        }
        return kept;
    }

    /// Reads a finished file.
    ///
    /// @throws InputException if a line is no JSON object with a step
    public static List<Row> read(Path file) {
        List<Row> rows = new ArrayList<>();
        try {
            for (String line : Files.readAllLines(file)) {
                JsonNode node = JSON.readTree(line);
                Map<String, Double> values = new LinkedHashMap<>();
                // What JSON has no number for (NaN, Infinity) was written as a string.
                node.properties()
                        .forEach(e -> values.put(
                                e.getKey(), Double.valueOf(e.getValue().asString())));
                rows.add(new Row(node.required(STEP).longValue(), values));
                values.remove(STEP);
            }
        } catch (IOException | JacksonException | NumberFormatException e) {
            throw new InputException(
                    "%s, line %d is not a line of metrics. Remove it, or name the metrics.jsonl of a run."
                            .formatted(file, rows.size() + 1),
                    e);
        }
        return rows;
    }

    @Override
    public void log(long step, Map<String, Double> values) {
        ObjectNode line = JSON.createObjectNode().put(STEP, step);
        values.forEach(line::put);
        try {
            out.write(JSON.writeValueAsString(line));
            out.write('\n');
            out.flush();
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    @Override
    public void close() {
        try {
            out.close();
        } catch (IOException e) {
            throw failed(file, e);
        }
    }

    private static RunException failed(Path file, IOException e) {
        return new RunException(
                "Could not write %s (%s). Free space or choose another output_dir.".formatted(file, e.getMessage()), e);
    }
}
