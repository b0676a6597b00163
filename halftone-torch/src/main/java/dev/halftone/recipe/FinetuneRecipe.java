package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.InputScales;
import dev.halftone.checkpoint.PeftFolders;
import dev.halftone.checkpoint.StepCheckpoints.StepCheckpoint;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.data.Batch;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.metrics.JsonlMetrics;
import dev.halftone.metrics.MetricKeys;
import dev.halftone.metrics.MetricSink;
import dev.halftone.metrics.TensorBoardMetrics;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Parameter;
import dev.halftone.optim.AdamW;
import dev.halftone.optim.LrSchedule;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.torch.Device;
import dev.halftone.torch.ProcessMemory;
import dev.halftone.torch.Torch;
import dev.halftone.train.RunFolder;
import dev.halftone.train.TrainStep;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Fine-tuning of all weights: `full`, and `qat`, which is the same loop over a model that was prepared before it.
///
/// Everything in a run is a function of its configuration, its data and the step: the order of samples, the
/// learning rate, whether fake quantization has begun, the random numbers of stochastic rounding. So a run that
/// was killed and resumed from any of its step checkpoints goes on as if nothing had happened, to the last bit of
/// the loss.
public final class FinetuneRecipe implements AutoCloseable {
    /// What came of a run.
    ///
    /// @param model the float model after the last epoch, in the dtypes of the one it came from; null where only
    ///     adapters are saved
    /// @param adapter what `lora` and `qat_lora` trained, in PEFT's format; null without adapters
    /// @param mergeDrift what merging adapters changed: nothing in the merged form, or the run fails; null without
    ///     adapters
    /// @param artifact the model quantized as it was trained; null without a quantizer
    /// @param certificate of the artifact
    /// @param steps optimizer steps of the whole run
    /// @param loss of the last step that was logged, in nats a label
    public record Result(
            @Nullable Path model,
            @Nullable Path adapter,
            @Nullable Agreement mergeDrift,
            @Nullable Path artifact,
            @Nullable Certificate certificate,
            long steps,
            double loss) {}

    private final FinetuneConfig config;
    private final Events events;
    private final RunFolder folder;
    private final RunRecord record;
    private final TrainingData data;
    private final Device device;
    private final ModelFolder base;
    private final long stepsPerEpoch;
    private final long totalSteps;
    private final CausalLm model;
    private final AdamW optimizer;
    private final LrSchedule schedule;
    private final TrainStep trainStep;

    /// Trains in plain float.
    ///
    /// @throws InputException if model, data or configuration are wrong, or `output_dir` holds another run
    /// @throws RunException if the run fails on the way, or was asked to stop
    public static Result full(FinetuneConfig config, Events events) {
        return run("full", config.forFull(), events);
    }

    /// Trains for the quantizer's grid, and quantizes the result as it was trained.
    ///
    /// @throws InputException as [#full]
    /// @throws RunException as [#full], or if the artifact's certificate does not hold
    public static Result qat(FinetuneConfig config, Events events) {
        return run("qat", config.forQat(), events);
    }

    /// Trains adapters in plain float.
    ///
    /// @throws InputException as [#full]
    /// @throws RunException as [#full]
    public static Result lora(FinetuneConfig config, Events events) {
        return run("lora", config.forLora(), events);
    }

    /// Trains adapters for the quantizer's grid, and quantizes the merged result.
    ///
    /// @throws InputException as [#full]
    /// @throws RunException as [#qat]
    public static Result qatLora(FinetuneConfig config, Events events) {
        return run("qat_lora", config.forQatLora(), events);
    }

    private static Result run(String recipe, FinetuneConfig config, Events events) {
        try (RunFolder folder = RunFolder.open(config.outputDir(), config.resumeFromCheckpoint());
                ModelFolder base = ModelFolder.of(config.checkpointDir(), config.dtype());
                FinetuneRecipe run = new FinetuneRecipe(recipe, config, events, folder, base)) {
            return run.run();
        }
    }

    private FinetuneRecipe(String recipe, FinetuneConfig config, Events events, RunFolder folder, ModelFolder base) {
        this.config = config;
        this.events = events;
        this.folder = folder;
        device = Device.parse(config.device());
        this.base = base;
        data = TrainingData.load(config, base.dir());
        stepsPerEpoch = stepsPerEpoch();
        totalSteps = config.epochs() * stepsPerEpoch;
        if (config.fakeQuantAfterNSteps() >= totalSteps) {
            throw new InputException(
                    "fake_quant_after_n_steps: %d is past the run's last step, %d, so nothing would be trained for the grid. Lower it, or train longer."
                            .formatted(config.fakeQuantAfterNSteps(), totalSteps));
        }
        model = model();
        if (adapts()) {
            RunAdapters.attach(config, model, events);
        }
        if (config.quantizer() != null) {
            var layers = Qat.prepare(model, Plans.of(config.quantizer(), config.kernels(), model, base.dir(), events));
            events.line("Prepared %d layers for %s"
                    .formatted(layers.size(), config.quantizer().label()));
            events.aside(LayerTable.of(model, layers));
        }
        model.setActivationCheckpointing(config.enableActivationCheckpointing());
        Map<String, Parameter> parameters = model.allParameters();
        if (!adapts() || config.lora().trainBase()) {
            parameters.values().forEach(p -> p.setTrainable(true));
        }
        parameters.values().removeIf(p -> !p.trainable());
        optimizer = new AdamW(parameters, Schedules.of(config.optimizer()), config.seed());
        schedule = Schedules.of(config.lrScheduler(), totalSteps);
        trainStep = new TrainStep(
                model,
                optimizer,
                config.loss().countLabels(),
                config.clipGradNorm() == null ? OptionalDouble.empty() : OptionalDouble.of(config.clipGradNorm()),
                config.optimizerInBwd());
        record = new RunRecord(recipe, config, data, model, stepsPerEpoch);
    }

    private boolean adapts() {
        return config.lora().loraRank() != null;
    }

    private CausalLm model() {
        Path dir = config.checkpointDir();
        if (config.fromScratch()) {
            events.line("Drawing random weights for %s".formatted(dir.resolve("config.json")));
            return Checkpoints.initialise(dir, config.seed(), config.dtype(), config.computeDtype(), device);
        }
        events.line("Loading %s".formatted(dir));
        return adapts() && config.quantizer() == null
                ? Checkpoints.loadBase(dir, config.dtype(), config.computeDtype(), device, Packings.of(config.lora()))
                : Checkpoints.loadFloat(dir, config.dtype(), config.computeDtype(), device);
    }

    private long stepsPerEpoch() {
        long steps = data.batchesPerEpoch() / config.gradientAccumulationSteps();
        if (steps == 0) {
            throw new InputException(
                    "dataset: an epoch has %d batches, which is less than one step of %d. Set gradient_accumulation_steps or batch_size lower, or give more data."
                            .formatted(data.batchesPerEpoch(), config.gradientAccumulationSteps()));
        }
        Integer limit = config.maxStepsPerEpoch();
        return limit == null ? steps : Math.min(steps, limit);
    }

    private Result run() {
        long first = resume();
        folder.write(record.json());
        try (MetricSink metrics = MetricSink.all(List.of(
                        JsonlMetrics.open(folder.metrics(), first),
                        TensorBoardMetrics.open(folder.tensorBoard(), first)));
                LayerHealthLog health = LayerHealthLog.open(config, folder, totalSteps, first)) {
            for (long step = first; step < totalSteps; step++) {
                step(step, metrics);
                long done = step + 1;
                health.log(done, model);
                if (done % stepsPerEpoch == 0) {
                    saveModel(Math.toIntExact(done / stepsPerEpoch) - 1);
                }
                boolean stop = done < totalSteps && events.stopRequested();
                if (stop || checkpointDue(done)) {
                    saveCheckpoint(done);
                }
                if (stop) {
                    throw new RunException(
                            "Stopped after step %d of %d; a checkpoint was saved. Run the same command with resume_from_checkpoint=true to go on."
                                    .formatted(done, totalSteps));
                }
            }
        }
        return finish();
    }

    /// One optimizer step, the first being step 0.
    private void step(long step, MetricSink metrics) {
        long start = System.nanoTime();
        startFakeQuantization(step);
        // What is random within a step is a function of the step, so that a resumed run repeats it.
        Torch.setSeed(config.seed() * 1_000_003 + step);
        double lr = config.optimizer().lr() * schedule.factor(step);
        TrainStep.Result result = trainStep.run(batches(step), lr);
        if (!Double.isFinite(result.loss()) || !Double.isFinite(result.gradNorm())) {
            throw new RunException(
                    "Step %d gave the loss %s with the gradient norm %s. Lower optimizer.lr, set clip_grad_norm=1.0, or use dtype=fp32."
                            .formatted(step + 1, result.loss(), result.gradNorm()));
        }
        long done = step + 1;
        double seconds = (System.nanoTime() - start) / 1e9;
        Map<String, Double> values = new LinkedHashMap<>();
        if (done % config.logEveryNSteps() == 0) {
            values.put(MetricKeys.LOSS, result.loss());
            values.put(MetricKeys.LR, lr);
            values.put(MetricKeys.TOKENS_PER_SECOND, result.labels() / seconds);
            values.put(MetricKeys.GRAD_NORM, result.gradNorm());
            if (config.quantizer() != null) {
                values.put(MetricKeys.FAKE_QUANT_SHARE, Qat.activeShare(model));
            }
            if (config.logPeakMemoryStats()) {
                values.put(MetricKeys.PEAK_MEMORY, ProcessMemory.peak() / (double) (1 << 30));
            }
        }
        if (config.runValEveryNSteps() != null && done % config.runValEveryNSteps() == 0) {
            values.put(MetricKeys.VALIDATION_LOSS, trainStep.evaluate(data.validation()));
        }
        if (!values.isEmpty()) {
            metrics.log(done, values);
        }
        events.progress(new Events.Progress(
                "training", done, totalSteps, String.format(Locale.ROOT, "loss %.4f", result.loss())));
    }

    /// By the step alone, so that it is right after a resume too.
    private void startFakeQuantization(long step) {
        if (config.quantizer() != null) {
            boolean active = step >= config.fakeQuantAfterNSteps();
            if (active && InputCalibration.missing(model)) {
                Calibrations.run(model, config.quantizer(), base.dir(), calibrationData(), events);
            }
            if (active != (Qat.activeShare(model) > 0)) {
                Qat.setActive(model, active);
            }
        }
    }

    /// The first batches of the first epoch.
    private List<Tokens> calibrationData() {
        int asked = Objects.requireNonNull(config.quantizer())
                .calibrated()
                .orElseThrow()
                .calibrationBatches();
        return data.batches(0, 0, Math.min(asked, data.batchesPerEpoch())).stream()
                .map(Tokens::of)
                .toList();
    }

    private List<Batch> batches(long step) {
        int epoch = Math.toIntExact(step / stepsPerEpoch);
        int first = Math.toIntExact(step % stepsPerEpoch * config.gradientAccumulationSteps());
        return data.batches(epoch, first, config.gradientAccumulationSteps());
    }

    /// Restores the newest checkpoint if the run is to go on.
    ///
    /// @return steps done
    private long resume() {
        if (!config.resumeFromCheckpoint()) {
            return 0;
        }
        Optional<StepCheckpoint> newest = folder.checkpoints().newest();
        if (newest.isEmpty()) {
            events.line("There is no checkpoint in %s yet: starting from the first step".formatted(folder.dir()));
            return 0;
        }
        StepCheckpoint checkpoint = newest.get();
        record.requireSameRun(checkpoint);
        if (checkpoint.step() > totalSteps) {
            throw new InputException(
                    "epochs: %s lies past the last step, %d. Set epochs higher, or choose another output_dir."
                            .formatted(checkpoint.folder(), totalSteps));
        }
        Map<String, Tensor> state = state();
        checkpoint.restore(state, optimizer.state());
        InputCalibration.restore(
                model, InputScales.scales(InputCalibration.scales(model).keySet(), state));
        optimizer.restoreSteps(checkpoint.step());
        model.allParameters().values().forEach(Parameter::changed);
        events.line("Resuming after step %d of %d".formatted(checkpoint.step(), totalSteps));
        return checkpoint.step();
    }

    private boolean checkpointDue(long done) {
        Integer every = config.saveEveryNSteps();
        // The last epoch leaves the model itself.
        return every == null ? done % stepsPerEpoch == 0 && done < totalSteps : done % every == 0;
    }

    private void saveCheckpoint(long done) {
        Integer keep = config.keepLastNCheckpoints();
        folder.checkpoints()
                .save(done, state(), optimizer.state(), record.identity(), keep == null ? Integer.MAX_VALUE : keep);
    }

    /// What a checkpoint says of the model: the trained values, and the scales of static activations.
    private Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        model.allParameters().forEach((name, p) -> {
            if (p.trainable()) {
                state.put(name, p.master());
            }
        });
        state.putAll(InputScales.tensors(InputCalibration.scales(model)));
        return state;
    }

    private void saveModel(int epoch) {
        if (!config.saveAdapterWeightsOnly()) {
            Checkpoints.saveFloat(folder.model(epoch), model, base.dir(), HfWriter.DEFAULT_SHARD_BYTES, true);
            saved("model", epoch, folder.model(epoch));
        }
        if (adapts()) {
            PeftFolders.save(folder.adapter(epoch), model, config.checkpointDir());
            saved("adapters", epoch, folder.adapter(epoch));
        }
        Integer keep = config.keepLastNCheckpoints();
        if (keep != null && epoch >= keep) {
            AtomicFiles.deleteFolder(folder.model(epoch - keep));
            AtomicFiles.deleteFolder(folder.adapter(epoch - keep));
        }
    }

    private void saved(String what, int epoch, Path dir) {
        events.line("Saved the %s after epoch %d of %d as %s".formatted(what, epoch + 1, config.epochs(), dir));
    }

    private Result finish() {
        int last = config.epochs() - 1;
        Agreement drift = adapts() ? RunAdapters.merge(base.dir(), model, events) : null;
        Path artifact = null;
        Certificate certificate = null;
        if (config.quantizer() != null) {
            // Its memory is needed for the second model that certifying loads.
            optimizer.close();
            artifact = folder.artifact();
            AtomicFiles.deleteFolder(artifact);
            certificate = CertifiedArtifact.write(
                    artifact, model, config.checkpointDir(), config.dtype(), config.computeDtype(), device, events);
            events.line("Saved the quantized model as %s. Certified: %s".formatted(artifact, certificate.summary()));
        }
        Result result = new Result(
                config.saveAdapterWeightsOnly() ? null : folder.model(last),
                adapts() ? folder.adapter(last) : null,
                drift,
                artifact,
                certificate,
                totalSteps,
                lastLoss());
        folder.write(record.finished(result));
        return result;
    }

    @Override
    public void close() {
        optimizer.close();
        model.close();
    }

    /// From the file: a run that is resumed after its last step computes none.
    private double lastLoss() {
        return JsonlMetrics.read(folder.metrics()).stream()
                .mapToDouble(row -> row.values().getOrDefault(MetricKeys.LOSS, Double.NaN))
                .filter(loss -> !Double.isNaN(loss))
                .reduce(Double.NaN, (_, last) -> last);
    }
}
