package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.format.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class QuickstartCommandTest {
    @TempDir
    private Path dir;

    /// The command of the README as it stands.
    @Test
    @Tag("slow")
    void quantizationAwareTrainingWinsBackAtLeastAThirdOfWhatQuantizationCosts() {
        Path out = dir.resolve("out");
        Cli cli = Cli.run("quickstart", "--json", "--output-dir", out.toString());
        assertThat(cli.status()).as(cli.err()).isZero();
        ObjectNode json = Json.parseObject(cli.out());
        JsonNode rows = json.get("rows");
        assertThat(rows.valueStream().map(r -> r.get("model").asString()))
                .containsExactly("float", "PTQ", "float fine-tuned", "float fine-tuned, then PTQ", "QAT");
        double tuned = perplexity(rows, 2);
        double tunedPtq = perplexity(rows, 3);
        double qat = perplexity(rows, 4);
        assertThat(perplexity(rows, 1)).as("PTQ hurts").isGreaterThan(1.2 * perplexity(rows, 0));
        assertThat(tunedPtq).as("PTQ hurts").isGreaterThan(1.2 * tuned);
        assertThat((tunedPtq - qat) / (tunedPtq - tuned))
                .isGreaterThan(1.0 / 3)
                .isEqualTo(rows.get(4).get("recovered").asDouble());
        assertThat(rows.get(4).get("bytes").asLong())
                .isEqualTo(rows.get(3).get("bytes").asLong())
                .isLessThan(rows.get(2).get("bytes").asLong() / 2);
        assertThat(json.at("/certificate/holds").asBoolean()).isTrue();
        assertThat(Path.of(json.get("artifact").asString())).isDirectory();
        assertThat(out.resolve("report.html"))
                .content()
                .contains("plain fine-tuning", "quantization-aware", "<svg", "degradation recovered");
    }

    @Test
    void anExistingFolderIsLeftAlone() throws Exception {
        Files.writeString(dir.resolve("mine"), "");
        Cli cli = Cli.run("quickstart", "--output-dir", dir.toString());
        assertThat(cli.status()).isEqualTo(2);
        assertThat(cli.err()).contains("exists already. Choose another folder.");
        assertThat(dir).isDirectoryContaining("glob:**mine");
    }

    private static double perplexity(JsonNode rows, int row) {
        return rows.get(row).get("word_perplexity").asDouble();
    }
}
