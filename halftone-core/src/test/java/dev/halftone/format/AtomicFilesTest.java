package dev.halftone.format;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {
    private @TempDir Path dir;

    @Test
    void aFileReplacesAnotherAndLeavesNothingBeside() throws IOException {
        Path file = dir.resolve("a/b/x.txt");
        AtomicFiles.writeString(file, "old");
        AtomicFiles.writeString(file, "née");
        assertThat(file).hasContent("née");
        assertThat(names(file.getParent())).containsExactly("x.txt");
    }

    @Test
    void aFullDiskLeavesTheOldFileAndNothingElse() throws IOException {
        Path file = dir.resolve("x.bin");
        AtomicFiles.writeString(file, "old");
        assertThatThrownBy(() -> AtomicFiles.writeFile(file, channel -> {
                    channel.write(ByteBuffer.wrap(new byte[1000]));
                    throw new IOException("No space left on device");
                }))
                .isInstanceOf(RunException.class)
                .hasMessageContaining("x.bin")
                .hasMessageContaining("No space left on device");
        assertThat(file).hasContent("old");
        assertThat(names(dir)).containsExactly("x.bin");
    }

    @Test
    void aFailureInAFolderLeavesNothing() throws IOException {
        Path folder = dir.resolve("model");
        assertThatThrownBy(() -> AtomicFiles.writeFolder(folder, false, aside -> {
                    AtomicFiles.writeString(aside.resolve("config.json"), "{}");
                    throw new InputException("no");
                }))
                .isInstanceOf(InputException.class);
        assertThat(names(dir)).isEmpty();
    }

    @Test
    void aFailureNamesTheFileAsItWouldHaveBeen() {
        Path folder = dir.resolve("model");
        assertThatThrownBy(() -> AtomicFiles.writeFolder(
                        folder,
                        false,
                        aside -> AtomicFiles.writeFile(aside.resolve("weights"), channel -> {
                            throw new IOException("No space left on device");
                        })))
                .isInstanceOf(RunException.class)
                .hasMessageStartingWith(folder.resolve("weights") + " could not be written");
    }

    @Test
    void aFolderIsOnlyReplacedWhenTold() throws IOException {
        Path folder = dir.resolve("model");
        AtomicFiles.writeFolder(folder, false, aside -> Files.writeString(aside.resolve("old"), "1"));
        assertThatThrownBy(() -> AtomicFiles.writeFolder(folder, false, aside -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("not empty");
        assertThat(names(folder)).containsExactly("old");

        AtomicFiles.writeFolder(folder, true, aside -> Files.writeString(aside.resolve("new"), "2"));
        assertThat(names(folder)).containsExactly("new");
        assertThat(names(dir)).containsExactly("model");
    }

    @Test
    void anEmptyFolderIsFilledAndAFileIsRefused() throws IOException {
        Path folder = Files.createDirectory(dir.resolve("empty"));
        AtomicFiles.writeFolder(folder, false, aside -> Files.writeString(aside.resolve("x"), "1"));
        assertThat(names(folder)).containsExactly("x");
        Path file = Files.writeString(dir.resolve("file"), "1");
        assertThatThrownBy(() -> AtomicFiles.writeFolder(file, true, aside -> {}))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("is a file");
    }

    @Test
    void aReaderNeverMissesAFolderThatIsBeingReplaced() throws Exception {
        Path folder = dir.resolve("model");
        AtomicFiles.writeFolder(folder, false, aside -> Files.writeString(aside.resolve("x"), "0"));
        AtomicBoolean done = new AtomicBoolean();
        AtomicBoolean missed = new AtomicBoolean();
        Thread reader = Thread.ofPlatform().start(() -> {
            while (!done.get()) {
                missed.compareAndSet(false, !Files.exists(folder));
            }
        });
        for (int i = 0; i < 50; i++) {
            AtomicFiles.writeFolder(folder, true, aside -> Files.writeString(aside.resolve("x"), "1"));
        }
        done.set(true);
        reader.join();
        assertThat(missed).isFalse();
    }

    @Test
    void aRemovedFolderIsGoneWithAllThatWasInIt() throws IOException {
        Path target = dir.resolve("old");
        Files.createDirectories(target.resolve("inner"));
        Files.writeString(target.resolve("inner/file"), "x");
        AtomicFiles.deleteFolder(target);
        AtomicFiles.deleteFolder(target);
        assertThat(dir).isEmptyDirectory();
    }

    @Test
    void theNextWriteRemovesWhatAKilledProcessLeft() throws Exception {
        Process gone = new ProcessBuilder("true").start();
        gone.waitFor();
        Path left = Files.createDirectory(dir.resolve(".model.%d-0123456789abcdef.partial".formatted(gone.pid())));
        Files.writeString(left.resolve("weights"), "…");
        Path other = Files.createDirectory(dir.resolve(".model.%d-0123456789abcdef.partial"
                .formatted(ProcessHandle.current().pid())));
        AtomicFiles.writeFolder(dir.resolve("model"), false, aside -> {});
        assertThat(left).doesNotExist();
        assertThat(other).exists();
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            return list.map(p -> p.getFileName().toString()).sorted().toList();
        }
    }
}
