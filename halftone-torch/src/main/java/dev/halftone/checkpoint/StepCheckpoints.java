package dev.halftone.checkpoint;

import dev.halftone.RunException;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/// The states that a run can go on from: `checkpoints/step_N/`, each complete or absent.
///
/// ```text
/// step_N/model.safetensors      the trained values (masters) of every parameter, in the dtype they are trained in,
///                               and the scales of static activations, NaN before they are calibrated
/// step_N/optimizer.safetensors  the optimizer's moments
/// step_N/state.json             what the run was: configuration and data
/// ```
///
/// That is all there is to save. The position in the schedule, in the data and in the delay of fake quantization
/// are functions of the step; every random number is a function of seed and step: there is no generator whose
/// state could be lost.
public final class StepCheckpoints {
    private static final Pattern NAME = Pattern.compile("step_(\\d+)");

    private final Path folder;

    /// @param folder `checkpoints` of a run; need not exist
    public StepCheckpoints(Path folder) {
        this.folder = folder;
    }

    /// One of them.
    ///
    /// @param step optimizer steps done
    public record StepCheckpoint(Path folder, long step) {
        /// What was passed to [StepCheckpoints#save].
        public JsonNode state() {
            return Json.readObject(folder.resolve("state.json"));
        }

        /// Copies the stored values into the tensors of a model and an optimizer of the same configuration.
        ///
        /// @throws InputException if names, shapes or dtypes differ
        public void restore(Map<String, Tensor> model, Map<String, Tensor> optimizer) {
            TensorFiles.read(folder.resolve("model.safetensors"), model);
            TensorFiles.read(folder.resolve("optimizer.safetensors"), optimizer);
        }
    }

    /// Saves the state after `step`, replacing an earlier one of that step, then removes all but the newest
    /// `keep`.
    ///
    /// @param keep at least 1
    public void save(long step, Map<String, Tensor> model, Map<String, Tensor> optimizer, JsonNode state, int keep) {
        AtomicFiles.writeFolder(folder.resolve("step_" + step), true, aside -> {
            TensorFiles.write(aside.resolve("model.safetensors"), model);
            TensorFiles.write(aside.resolve("optimizer.safetensors"), optimizer);
            Json.write(aside.resolve("state.json"), state);
        });
        List<StepCheckpoint> all = all();
        all.subList(0, Math.max(0, all.size() - keep)).forEach(old -> AtomicFiles.deleteFolder(old.folder));
    }

    /// The checkpoint that a resumed run goes on from.
    public Optional<StepCheckpoint> newest() {
        List<StepCheckpoint> all = all();
        return all.isEmpty() ? Optional.empty() : Optional.of(all.getLast());
    }

    /// All of them, by step.
    public List<StepCheckpoint> all() {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.map(StepCheckpoints::parse)
                    .flatMap(Optional::stream)
                    .sorted(Comparator.comparingLong(StepCheckpoint::step))
                    .toList();
        } catch (IOException e) {
            throw new RunException(
                    "%s cannot be listed (%s). Check its permissions.".formatted(folder, e.getMessage()), e);
        }
    }

    private static Optional<StepCheckpoint> parse(Path path) {
        Matcher m = NAME.matcher(path.getFileName().toString());
        return m.matches() ? Optional.of(new StepCheckpoint(path, Long.parseLong(m.group(1)))) : Optional.empty();
    }
}
