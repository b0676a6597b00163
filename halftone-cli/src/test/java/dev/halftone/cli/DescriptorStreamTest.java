package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DescriptorStreamTest {
    @TempDir
    private Path folder;

    @Test
    void writesBetweenWhatOthersWriteToTheSameLog() throws IOException, InterruptedException {
        Path log = folder.resolve("log");
        String java =
                "'%s' --enable-native-access=ALL-UNNAMED -Dhalftone.stderr.descriptor=3 -cp '%s' dev.halftone.cli.Main cat nowhere 3>&2"
                        .formatted(
                                Path.of(System.getProperty("java.home"), "bin", "java"),
                                System.getProperty("java.class.path"));
        Process shell = new ProcessBuilder(
                        "bash", "-c", "{ echo before; %s; echo after; } > '%s' 2>&1".formatted(java, log))
                .start();
        assertThat(shell.waitFor(60, TimeUnit.SECONDS)).isTrue();
        List<String> lines = Files.readAllLines(log);
        assertThat(lines).hasSize(3).first().isEqualTo("before");
        assertThat(lines.get(1)).startsWith("halftone: there is no configuration file");
        assertThat(lines.get(2)).isEqualTo("after");
    }

    @Test
    void aClosedDescriptorIsAnError() {
        assertThatThrownBy(() -> new DescriptorStream(4321).write(65)).isInstanceOf(IOException.class);
    }
}
