package dev.halftone.format.hf;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.format.safetensors.SafetensorsWriter.Entry;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;

@Tag("slow")
class HfWriterKillTest {
    private static final int TENSORS = 4;
    private static final int ELEMENTS = 50_000;

    private @TempDir Path dir;

    @RepeatedTest(5)
    void aKilledProcessLeavesAWholeFolder(RepetitionInfo repetition) throws Exception {
        Path folder = dir.resolve("model");
        Process writer = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        Writer.class.getName(),
                        folder.toString())
                .inheritIO()
                .start();
        try {
            while (!Files.exists(folder) && writer.isAlive()) {
                Thread.sleep(5);
            }
            Thread.sleep(new Random(repetition.getCurrentRepetition()).nextInt(200));
        } finally {
            writer.destroyForcibly().waitFor();
        }
        assertThat(isWhole(folder)).isTrue();

        HfWriter.write(folder, Json.object(), List.of(), 1, null, true);
        try (Stream<Path> left = Files.list(dir)) {
            assertThat(left).containsExactly(folder);
        }
    }

    private static boolean isWhole(Path dir) {
        try (HfFolder folder = HfFolder.open(dir)) {
            int version = folder.config().path("version").asInt();
            int[] expected = new int[ELEMENTS];
            Arrays.fill(expected, version);
            return folder.tensorNames().size() == TENSORS
                    && folder.tensorNames().stream()
                            .allMatch(name ->
                                    Arrays.equals(folder.data(name).toArray(ValueLayout.JAVA_INT_UNALIGNED), expected));
        }
    }

    /// Replaces a folder by its next version until it is killed.
    static final class Writer {
        public static void main(String[] args) {
            for (int v = 1; ; v++) {
                int[] values = new int[ELEMENTS];
                Arrays.fill(values, v);
                List<Entry> entries = IntStream.range(0, TENSORS)
                        .mapToObj(i -> new Entry(
                                "t" + i, DType.I32, new long[] {ELEMENTS}, () -> MemorySegment.ofArray(values)))
                        .toList();
                HfWriter.write(Path.of(args[0]), Json.object().put("version", v), entries, 300_000, null, true);
            }
        }
    }
}
