package dev.halftone.quickstart;

import dev.halftone.config.schema.EvalConfig;
import dev.halftone.config.schema.EvalTask;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.config.schema.QuantizeConfig;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.eval.Perplexity;
import dev.halftone.recipe.Certificate;
import dev.halftone.recipe.Events;
import dev.halftone.recipe.FinetuneRecipe;
import dev.halftone.recipe.Recipes;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Runs the recipes one after the other: a float model and its quantization after training (PTQ), the same after a
/// plain fine-tuning, and the same fine-tuning with the quantization in its loop (QAT).
///
/// The honest baseline is the third quantized row, the *fine-tuned* float model after PTQ: it saw the same data for the
/// same number of steps. The degradation is what quantizing that model costs in perplexity; QAT recovers the share
/// `(PTQ - QAT) / (PTQ - float)` of it.
///
/// @param full the plain fine-tuning
/// @param qat the same with a quantizer
/// @param texts what perplexity is measured on, none of it in the training data
public record Quickstart(FinetuneConfig full, FinetuneConfig qat, List<Path> texts) {
    /// A model of the final table.
    ///
    /// @param bytes of its weights on disk
    /// @param recovered share of the degradation that it wins back; null where that means nothing
    public record Row(
            String name,
            Perplexity perplexity,
            long bytes,
            @Nullable Double recovered) {
        public double wordPerplexity() {
            return perplexity.total().wordPerplexity();
        }
    }

    /// @param rows float, PTQ, fine-tuned float, fine-tuned float then PTQ, QAT
    /// @param certificate of the artifact that QAT left
    /// @param artifact its folder
    public record Outcome(List<Row> rows, Certificate certificate, Path artifact) {}

    /// @param dir where the runs and artifacts go, new
    public Outcome run(Path dir, Events events) {
        QuantizerConfig quantizer = Objects.requireNonNull(qat.quantizer());
        Path base = full.checkpointDir();

        events.line("1/5  The float model");
        Perplexity baseFloat = evaluate(base, events);
        events.line("2/5  The same after post-training quantization to %s".formatted(quantizer.label()));
        Path basePtq = quantize(base, dir.resolve("ptq"), quantizer, events);
        Perplexity basePtqPerplexity = evaluate(basePtq, events);
        events.line("3/5  Plain fine-tuning");
        FinetuneRecipe.Result tuned = Recipes.full(full, events);
        Path tunedModel = Objects.requireNonNull(tuned.model());
        Perplexity tunedFloat = evaluate(tunedModel, events);
        events.line("4/5  The fine-tuned model after post-training quantization");
        Path tunedPtq = quantize(tunedModel, dir.resolve("full-ptq"), quantizer, events);
        Perplexity tunedPtqPerplexity = evaluate(tunedPtq, events);
        events.line("5/5  The same fine-tuning, quantization-aware");
        FinetuneRecipe.Result trained = Recipes.qat(qat, events);
        Path artifact = Objects.requireNonNull(trained.artifact());
        Perplexity qatPerplexity = evaluate(artifact, events);

        double floating = tunedFloat.total().wordPerplexity();
        double lost = tunedPtqPerplexity.total().wordPerplexity() - floating;
        double recovered = (tunedPtqPerplexity.total().wordPerplexity()
                        - qatPerplexity.total().wordPerplexity())
                / lost;
        List<Row> rows = new ArrayList<>();
        rows.add(new Row("float", baseFloat, Weights.bytes(base), null));
        rows.add(new Row("PTQ", basePtqPerplexity, Weights.bytes(basePtq), null));
        rows.add(new Row("float fine-tuned", tunedFloat, Weights.bytes(tunedModel), null));
        rows.add(new Row("float fine-tuned, then PTQ", tunedPtqPerplexity, Weights.bytes(tunedPtq), 0.0));
        rows.add(new Row("QAT", qatPerplexity, Weights.bytes(artifact), recovered));
        return new Outcome(rows, Objects.requireNonNull(trained.certificate()), artifact);
    }

    private Path quantize(Path model, Path to, QuantizerConfig quantizer, Events events) {
        return Recipes.quantize(
                        new QuantizeConfig(to, model, quantizer, qat.dtype(), qat.device(), qat.kernels()), events)
                .artifact();
    }

    private Perplexity evaluate(Path model, Events events) {
        EvalConfig config = new EvalConfig(
                model,
                List.of(EvalTask.PERPLEXITY),
                texts,
                null,
                null,
                false,
                qat.dtype(),
                qat.device(),
                qat.kernels(),
                Objects.requireNonNull(qat.maxSeqLen()),
                null);
        return Objects.requireNonNull(Recipes.eval(config, events).tasks().get(EvalTask.PERPLEXITY));
    }
}
