package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.EvalTask;
import dev.halftone.eval.Perplexity;
import dev.halftone.eval.Perplexity.Document;
import dev.halftone.eval.RollingPerplexity;
import dev.halftone.model.CausalLm;
import dev.halftone.qat.GgufActivations;
import dev.halftone.recipe.Events.Progress;
import dev.halftone.recipe.Events.Table;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The recipe `eval`: measures a float model, the same after post-training quantization, or an artifact.
public final class EvalRecipe {
    private EvalRecipe() {}

    /// What was measured, task by task.
    public record Result(Map<EvalTask, Perplexity> tasks) {}

    /// @throws InputException if the model or a text cannot be read, or the quantizer does not fit the model
    public static Result run(EvalConfig config, Events events) {
        Device device = Device.parse(config.device());
        List<Path> files = config.dataFiles();
        if (config.limit() != null) {
            files = files.subList(0, Math.min(config.limit(), files.size()));
        }
        try (ModelFolder folder = ModelFolder.of(config.checkpointDir(), config.dtype());
                Tokenizer tokenizer = Tokenizers.load(folder.dir());
                CausalLm model = Checkpoints.load(config.checkpointDir(), config.dtype(), device)) {
            if (config.adapterDir() != null) {
                MergeRecipe.merge(config.adapterDir(), model, events);
            }
            if (config.quantizer() != null) {
                Calibrations.quantize(model, config.quantizer(), config.kernels(), folder.dir(), events);
            }
            if (config.int8Activations()) {
                GgufActivations.quantize(model);
            }
            Map<EvalTask, Perplexity> results = new EnumMap<>(EvalTask.class);
            for (EvalTask task : config.tasks()) {
                results.put(
                        task,
                        switch (task) {
                            case PERPLEXITY -> perplexity(model, tokenizer, files, config.maxSeqLen(), events);
                        });
            }
            return new Result(results);
        }
    }

    /// Rolling perplexity of the files, told as a table too.
    static Perplexity perplexity(CausalLm model, Tokenizer tokenizer, List<Path> files, int maxSeqLen, Events events) {
        Perplexity result = RollingPerplexity.evaluate(
                model,
                tokenizer,
                files,
                maxSeqLen,
                (done, total) -> events.progress(new Progress("evaluating", done, total, "")));
        List<List<String>> rows = new ArrayList<>();
        result.documents().forEach(d -> rows.add(row(d)));
        if (rows.size() > 1) {
            rows.add(row(result.total()));
        }
        events.table(new Table(
                List.of("document", "tokens", "words", "word perplexity", "byte perplexity", "bits per byte"), rows));
        return result;
    }

    private static List<String> row(Document d) {
        return List.of(
                d.name(),
                String.format(Locale.ROOT, "%,d", d.tokens()),
                String.format(Locale.ROOT, "%,d", d.words()),
                String.format(Locale.ROOT, "%.4f", d.wordPerplexity()),
                String.format(Locale.ROOT, "%.4f", d.bytePerplexity()),
                String.format(Locale.ROOT, "%.4f", d.bitsPerByte()));
    }
}
