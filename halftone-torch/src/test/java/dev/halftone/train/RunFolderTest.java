package dev.halftone.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import dev.halftone.format.Json;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunFolderTest {
    @TempDir
    Path parent;

    @Test
    void aSecondRunIntoAFolderIsRefusedUnlessItResumes() {
        Path dir = parent.resolve("run");
        try (RunFolder folder = RunFolder.open(dir, false)) {
            folder.write(Json.object());
        }
        assertThatThrownBy(() -> RunFolder.open(dir, false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("resume_from_checkpoint=true");
        RunFolder.open(dir, true).close();
    }

    @Test
    void aFolderIsHeldByOneRunAtATime() {
        try (RunFolder held = RunFolder.open(parent, false)) {
            assertThatThrownBy(() -> RunFolder.open(parent, true))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining("another process");
            assertThat(held.dir()).isEqualTo(parent);
        }
        RunFolder.open(parent, true).close();
    }
}
