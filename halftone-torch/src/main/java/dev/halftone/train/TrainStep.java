package dev.halftone.train;

import dev.halftone.config.schema.LabelCount;
import dev.halftone.data.Batch;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.Targets;
import dev.halftone.optim.AdamW;
import dev.halftone.optim.Gradients;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.OptionalDouble;
import java.util.function.Consumer;

/// One optimizer step: the gradients of one batch or several, clipping, update.
///
/// The loss is the mean over the labels of all its batches. Their number is known before the first forward pass,
/// so gradients are divided as they arise, not in a pass of their own.
public final class TrainStep {
    /// @param loss nats a label, before the update
    /// @param gradNorm of all gradients together, before clipping
    /// @param labels how many the loss is the mean of
    public record Result(double loss, double gradNorm, long labels) {}

    private final CausalLm model;
    private final Collection<Parameter> parameters;
    private final AdamW optimizer;
    private final LabelCount count;
    private final OptionalDouble maxNorm;
    private final boolean inBackward;

    /// @param count how much each of several batches weighs
    /// @param maxNorm what gradients are clipped to; empty clips nothing
    /// @param inBackward whether a parameter is updated as soon as its gradient is complete, which is then freed:
    ///     for steps of one batch that clip nothing, with the same result
    public TrainStep(CausalLm model, AdamW optimizer, LabelCount count, OptionalDouble maxNorm, boolean inBackward) {
        this.model = model;
        this.parameters = model.allParameters().values();
        this.optimizer = optimizer;
        this.count = count;
        this.maxNorm = maxNorm;
        this.inBackward = inBackward;
    }

    /// @param batches what makes up the step, in order
    /// @param lr the rate of this step
    public Result run(List<Batch> batches, double lr) {
        Update update = new Update(lr);
        long total = batches.stream().mapToLong(this::weight).sum();
        long labels = 0;
        double loss = 0;
        for (Batch b : batches) {
            Targets targets = targets(b);
            if (targets.count() > 0) {
                // A batch's mean loss times its share of the whole.
                double normaliser = targets.count() * (double) total / weight(b);
                loss += model.lossAndBackward(tokens(b), targets, normaliser, inBackward ? update : _ -> {})
                        / normaliser;
                labels += targets.count();
            }
        }
        update.accept(parameters);
        return new Result(loss, update.norm(), labels);
    }

    /// Uses gradients up: of all parameters at once, or of those that are complete.
    private final class Update implements Consumer<Collection<Parameter>> {
        private final double lr;
        private double norm;

        Update(double lr) {
            this.lr = lr;
            optimizer.beginStep();
        }

        @Override
        public void accept(Collection<Parameter> complete) {
            float part = Gradients.norm(complete);
            norm = Math.hypot(norm, part);
            optimizer.update(complete, lr, Gradients.clipping(part, maxNorm));
            Gradients.clear(complete);
        }

        /// Of all gradients seen, before clipping.
        double norm() {
            return norm;
        }
    }

    /// The mean loss of the labels of `batches`, without training on them.
    public double evaluate(List<Batch> batches) {
        double sum = 0;
        long labels = 0;
        for (Batch b : batches) {
            float[] losses = model.losses(tokens(b), targets(b));
            for (float loss : losses) {
                sum += loss;
            }
            labels += losses.length;
        }
        return sum / labels;
    }

    private long weight(Batch b) {
        return switch (count) {
            case AFTER_SHIFT -> targets(b).count();
            case BEFORE_SHIFT ->
                Arrays.stream(b.labels()).filter(l -> l != Targets.IGNORED).count();
        };
    }

    private static Targets targets(Batch b) {
        return Targets.shifted(b.batchSize(), b.seqLen(), b.labels());
    }

    private static Tokens tokens(Batch b) {
        return new Tokens(b.batchSize(), b.seqLen(), b.inputIds(), b.positions(), b.documents());
    }
}
