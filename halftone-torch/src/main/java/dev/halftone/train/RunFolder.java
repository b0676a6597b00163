package dev.halftone.train;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.StepCheckpoints;
import dev.halftone.format.Json;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// `output_dir` of a training run, held by one process at a time.
///
/// ```text
/// run.json             configuration, versions, seed, device, data, results
/// metrics.jsonl        a line a step
/// health.jsonl         a line for each look at the layers that are trained for a grid
/// tensorboard/         the same as TensorBoard's event files
/// checkpoints/step_N/  states to resume from
/// epoch_N/             the float model after epoch N (the first is 0), a Hugging Face folder
/// quantized/           the same as the artifact that `qat` trained it for, certified
/// ```
public final class RunFolder implements AutoCloseable {
    private static final String RECORD = "run.json";

    private final Path dir;
    private final FileChannel lock;

    private RunFolder(Path dir, FileChannel lock) {
        this.dir = dir;
        this.lock = lock;
    }

    /// Opens the folder of a new run, or of one that is to go on, and locks it against other processes until it is
    /// closed or the process ends.
    ///
    /// @param resume whether it may hold an earlier run
    /// @throws InputException if it holds one and `resume` is false, or another process is at work in it
    public static RunFolder open(Path dir, boolean resume) {
        try {
            Files.createDirectories(dir);
            FileChannel channel =
                    FileChannel.open(dir.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            RunFolder folder = new RunFolder(dir, channel);
            try {
                folder.requireFree(resume);
            } catch (InputException | IOException e) {
                folder.close();
                throw e;
            }
            return folder;
        } catch (IOException e) {
            throw new RunException(
                    "output_dir: %s cannot be used (%s). Check the path, its permissions and free space."
                            .formatted(dir, e.getMessage()),
                    e);
        }
    }

    private void requireFree(boolean resume) throws IOException {
        if (tryLock(lock) == null) {
            throw new InputException(
                    "output_dir: another process is at work in %s. Wait for it or choose another folder."
                            .formatted(dir));
        }
        if (!resume && Files.exists(dir.resolve(RECORD))) {
            throw new InputException(
                    "output_dir: %s already holds a run. Choose another folder, remove this one,".formatted(dir)
                            + " or pass resume_from_checkpoint=true to go on with it.");
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException heldByThisProcess) {
            return null;
        }
    }

    public Path dir() {
        return dir;
    }

    public Path metrics() {
        return dir.resolve("metrics.jsonl");
    }

    /// `<layer>/<figure>` of [dev.halftone.qat.LayerHealth].
    public Path health() {
        return dir.resolve("health.jsonl");
    }

    public Path tensorBoard() {
        return dir.resolve("tensorboard");
    }

    /// Where the model after an epoch goes, counted from 0 as torchtune does.
    public Path model(int epoch) {
        return dir.resolve("epoch_" + epoch);
    }

    /// Where the adapters after an epoch go.
    public Path adapter(int epoch) {
        return dir.resolve("adapter_" + epoch);
    }

    /// Where the model goes that `qat` trained, quantized.
    public Path artifact() {
        return dir.resolve("quantized");
    }

    public StepCheckpoints checkpoints() {
        return new StepCheckpoints(dir.resolve("checkpoints"));
    }

    /// Writes `run.json`, replacing an earlier one.
    public void write(JsonNode run) {
        Json.write(dir.resolve(RECORD), run);
    }

    @Override
    public void close() {
        try {
            lock.close();
        } catch (IOException e) {
            throw new RunException("%s could not be unlocked (%s).".formatted(dir, e.getMessage()), e);
        }
    }
}
