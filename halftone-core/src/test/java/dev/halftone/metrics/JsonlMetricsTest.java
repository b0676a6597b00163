package dev.halftone.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JsonlMetricsTest {
    @TempDir
    Path folder;

    private Path file() {
        return folder.resolve("metrics.jsonl");
    }

    @Test
    void aLineIsAnObjectWithTheStepFirstAndEveryBitOfTheValues() throws Exception {
        double loss = 1 / 3.0;
        Map<String, Double> values = new LinkedHashMap<>();
        values.put("loss", loss);
        values.put("lr", 2e-5);
        try (MetricSink sink = JsonlMetrics.open(file(), 0)) {
            sink.log(1, values);
        }
        assertThat(Files.readString(file())).isEqualTo("{\"step\":1,\"loss\":0.3333333333333333,\"lr\":2.0E-5}\n");
        assertThat(JsonlMetrics.read(file())).containsExactly(new JsonlMetrics.Row(1, values));
    }

    @Test
    void aNewRunStartsAnEmptyFile() throws Exception {
        Files.writeString(file(), "old\n");
        JsonlMetrics.open(file(), 0).close();
        assertThat(file()).isEmptyFile();
    }

    @Test
    void afterAResumeEachStepStandsInTheFileOnce() throws Exception {
        try (MetricSink sink = JsonlMetrics.open(file(), 0)) {
            for (int step = 1; step <= 5; step++) {
                sink.log(step, Map.of("loss", (double) step));
            }
        }
        Files.writeString(file(), "{\"step\":6,\"lo", StandardOpenOption.APPEND);
        try (MetricSink sink = JsonlMetrics.open(file(), 3)) {
            sink.log(4, Map.of("loss", 40.0));
        }
        assertThat(JsonlMetrics.read(file())).extracting(JsonlMetrics.Row::step).containsExactly(1L, 2L, 3L, 4L);
        assertThat(JsonlMetrics.read(file()).getLast().values()).containsEntry("loss", 40.0);
    }

    @Test
    void notANumberSurvivesTheFile() {
        try (MetricSink sink = JsonlMetrics.open(file(), 0)) {
            sink.log(1, Map.of("loss", Double.NaN));
        }
        assertThat(JsonlMetrics.read(file()).getFirst().values().get("loss")).isNaN();
    }

    @Test
    void aLineThatIsNoMetricIsNamed() throws Exception {
        Files.writeString(file(), "{\"step\":1}\n[]\n");
        assertThatThrownBy(() -> JsonlMetrics.read(file()))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("line 2");
    }
}
