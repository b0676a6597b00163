package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.safetensors.SafetensorsWriter;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectCommandTest {
    @TempDir
    private Path folder;

    private static final SafetensorsWriter.Entry TENSOR = new SafetensorsWriter.Entry(
            "model.norm.weight", DType.BF16, new long[] {3, 2}, () -> MemorySegment.ofArray(new byte[12]));

    @Test
    void aSafetensorsFileShowsMetadataAndTensors() {
        Path file = folder.resolve("a.safetensors");
        SafetensorsWriter.write(file, Map.of("format", "pt"), List.of(TENSOR));
        Cli cli = Cli.run("inspect", file.toString());
        assertThat(cli.status()).isZero();
        assertThat(cli.out()).contains("safetensors file", "format  pt", "model.norm.weight  BF16  [3, 2]     12");
        assertThat(cli.out()).contains("1 tensors (BF16 1), 6 values, 12 B");
    }

    @Test
    void jsonIsOneDocument() {
        Path file = folder.resolve("a.safetensors");
        SafetensorsWriter.write(file, Map.of("format", "pt"), List.of(TENSOR));
        assertThat(Cli.run("inspect", file.toString(), "--json").out())
                .isEqualToIgnoringWhitespace("""
                        {"path": "%s", "kind": "safetensors file", "elements": 6, "bytes": 12, "types": "BF16 1",
                         "summary": {}, "facts": {"format": "pt"},
                         "tensors": [{"name": "model.norm.weight", "type": "BF16", "elements": 6, "bytes": 12, "shape": [3, 2]}]}
                        """.formatted(file));
    }

    @Test
    void aFolderShowsItsConfiguration() {
        HfWriter.write(
                folder.resolve("m"), Json.object().put("model_type", "llama"), List.of(TENSOR), 1000, null, false);
        assertThat(Cli.run("inspect", folder.resolve("m").toString()).out())
                .contains("Hugging Face folder, 1 weight file", "parameters       6", "model_type       llama");
    }

    @Test
    void whatCannotBeReadIsOneSentence() throws IOException {
        Path text = Files.writeString(folder.resolve("a.txt"), "x");
        Path broken = Files.write(folder.resolve("a.safetensors"), new byte[] {1, 2, 3});
        assertThat(Cli.run("inspect", folder.resolve("none").toString()).err()).contains("is not there");
        assertThat(Cli.run("inspect", text.toString()).err()).contains("neither a folder nor");
        Cli cli = Cli.run("inspect", broken.toString());
        assertThat(cli.status()).isEqualTo(2);
        assertThat(cli.err()).startsWith("halftone: ").hasLineCount(1);
    }
}
