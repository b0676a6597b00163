package dev.halftone.recipe;

import dev.halftone.format.safetensors.SafetensorsFile;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;

/// Runs of the golden tiny Llama: a few milliseconds a step.
final class TinyRun {
    private static final int SEQ_LEN = 16;

    static {
        oneThread();
    }

    private TinyRun() {}

    /// Operators this small are slower on several threads, and very slow where other processes want the cores too.
    static void oneThread() {
        Torch.setThreads(1);
    }

    /// A file or folder under `golden/curves`.
    static Path golden(String name) {
        try {
            return Path.of(Objects.requireNonNull(TinyRun.class.getResource("/golden/curves/" + name))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    /// The keys that every run needs: the golden optimizer, pre-tokenized data in file order.
    static String yaml(Path output, Path model, Path data) {
        return """
                output_dir: %s
                checkpoint_dir: %s
                dataset: {_component_: tokenized_dataset, data_files: ['%s']}
                optimizer: {_component_: torch.optim.AdamW, lr: 1e-3, weight_decay: 0.01}
                shuffle: false
                """.formatted(output, model, data);
    }

    /// The golden batches as a data file: a row a line.
    ///
    /// @param prefix empty, or `micro_` for those of gradient accumulation
    static Path writeGoldenBatches(Path file, String prefix) {
        int[] ids = goldenInts(prefix + "input_ids");
        int[] labels = goldenInts(prefix + "labels");
        List<String> lines = new ArrayList<>();
        for (int at = 0; at < ids.length; at += SEQ_LEN) {
            lines.add("{\"input_ids\": %s, \"labels\": %s}"
                    .formatted(
                            Arrays.toString(Arrays.copyOfRange(ids, at, at + SEQ_LEN)),
                            Arrays.toString(Arrays.copyOfRange(labels, at, at + SEQ_LEN))));
        }
        try {
            return Files.write(file, lines);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static int[] goldenInts(String name) {
        try (SafetensorsFile file = SafetensorsFile.open(golden("batches.safetensors"));
                Scope _ = Scope.open()) {
            TensorInfo info = file.info(name);
            return LongStream.of(Torch.longs(Torch.of(file.data(name), info.dtype(), info.shape())))
                    .mapToInt(Math::toIntExact)
                    .toArray();
        }
    }
}
