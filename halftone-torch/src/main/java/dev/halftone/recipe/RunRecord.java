package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.Version;
import dev.halftone.checkpoint.StepCheckpoints.StepCheckpoint;
import dev.halftone.config.Plain;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.format.Json;
import dev.halftone.kernel.Kernels;
import dev.halftone.model.CausalLm;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.ProcessMemory;
import dev.halftone.torch.Torch;
import java.time.Instant;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// What a run is and what came of it: `run.json`, and the part of it that a checkpoint carries, so that a run is
/// only resumed as what it was.
final class RunRecord {
    /// Keys that change nothing about the steps of a run: where it writes, how often, and when it ends. A
    /// schedule that falls follows `epochs`, as in torchtune. Kernels agree bit for bit.
    private static final Set<String> FREE = Set.of(
            "output_dir",
            "epochs",
            "device",
            "kernels",
            "enable_activation_checkpointing",
            "optimizer_in_bwd",
            "dataset_val",
            "batch_size_val",
            "run_val_every_n_steps",
            "save_every_n_steps",
            "keep_last_n_checkpoints",
            "resume_from_checkpoint",
            "log_every_n_steps",
            "log_peak_memory_stats");

    private final String recipe;
    private final FinetuneConfig config;
    private final TrainingData data;
    private final long stepsPerEpoch;
    private final long parameters;
    private final ObjectNode kernels;
    private final Instant started = Instant.now();

    RunRecord(String recipe, FinetuneConfig config, TrainingData data, CausalLm model, long stepsPerEpoch) {
        this.recipe = recipe;
        this.config = config;
        this.data = data;
        this.stepsPerEpoch = stepsPerEpoch;
        this.parameters = model.namedWeights().values().stream()
                .mapToLong(p -> Arrays.stream(p.shape()).reduce(1, Math::multiplyExact))
                .sum();
        this.kernels = kernels(model);
    }

    /// What a checkpoint has to say about its run.
    ObjectNode identity() {
        ObjectNode identity = Json.object().put("recipe", recipe);
        identity.set("config", Json.of(Plain.of(config)));
        return identity.put("data", data.fingerprint());
    }

    /// @throws InputException if the checkpoint belongs to a run whose steps would be others
    void requireSameRun(StepCheckpoint checkpoint) {
        JsonNode saved = checkpoint.state();
        JsonNode now = identity();
        requireSame(checkpoint, "recipe", saved.path("recipe"), now.path("recipe"));
        for (Map.Entry<String, JsonNode> key : now.path("config").properties()) {
            if (!FREE.contains(key.getKey())) {
                requireSame(checkpoint, key.getKey(), saved.path("config").path(key.getKey()), key.getValue());
            }
        }
        requireSame(checkpoint, "the content of the data", saved.path("data"), now.path("data"));
    }

    private static void requireSame(StepCheckpoint checkpoint, String what, JsonNode saved, JsonNode now) {
        // As text, since a number that was read is of another class than one that was computed.
        if (!saved.toString().equals(now.toString())) {
            throw new InputException(
                    "%s changed: %s was saved with %s, and now it is %s. Set it back to go on with that run, or choose another output_dir."
                            .formatted(what, checkpoint.folder(), saved, now));
        }
    }

    /// `run.json` of a run that has begun.
    ObjectNode json() {
        ObjectNode run = Json.object().put("recipe", recipe).put("status", "running");
        run.put("started", started.toString());
        run.set("config", Json.of(Plain.of(config)));
        run.put("seed", config.seed()).put("device", config.device()).put("threads", Torch.threads());
        run.putObject("versions")
                .put("halftone", Version.number())
                .put("libtorch", Torch.version())
                .put("java", Runtime.version().toString())
                .put("os", "%s %s %s".formatted(property("os.name"), property("os.version"), property("os.arch")));
        run.set("kernels", kernels);
        run.putObject("data")
                .put("fingerprint", data.fingerprint())
                .put("batches_per_epoch", data.batchesPerEpoch())
                .put("steps_per_epoch", stepsPerEpoch);
        run.putObject("model").put("parameters", parameters);
        return run;
    }

    private ObjectNode kernels(CausalLm model) {
        Parameter any = model.namedParameters().values().iterator().next();
        Kernels.Choice choice = Kernels.choose(any.master());
        return config.kernels() == null
                ? Json.object()
                        .put("choice", choice.kernels().name().toLowerCase(Locale.ROOT))
                        .put("reason", choice.reason())
                : Json.object()
                        .put("choice", config.kernels().name().toLowerCase(Locale.ROOT))
                        .put("reason", "the configuration names it");
    }

    private static String property(String name) {
        return System.getProperty(name, "unknown");
    }

    /// `run.json` of a run that is done.
    ObjectNode finished(FinetuneRecipe.Result result) {
        ObjectNode run =
                json().put("status", "finished").put("finished", Instant.now().toString());
        ObjectNode results = run.putObject("results")
                .put("steps", result.steps())
                .put("loss", result.loss())
                .put("peak_memory_bytes", ProcessMemory.peak());
        if (result.model() != null) {
            results.put("model", result.model().toString());
        }
        if (result.adapter() != null) {
            results.put("adapter", result.adapter().toString());
        }
        if (result.mergeDrift() != null) {
            results.set("merge_drift", result.mergeDrift().json());
        }
        if (result.artifact() != null && result.certificate() != null) {
            results.put("artifact", result.artifact().toString());
            results.set("certificate", result.certificate().json());
        }
        return run;
    }
}
