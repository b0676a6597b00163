package dev.halftone.optim;

/// The learning rate over the steps of a run. All schedules rise linearly from 0 over their warmup steps.
///
/// The formulas are those of Hugging Face's `get_scheduler` and of torchtune's `get_cosine_schedule_with_warmup`, which
/// agree: the step counts from 0, so with a warmup the first update has rate 0.
public sealed interface LrSchedule {
    /// Warmup, then the base rate.
    record Constant(long warmupSteps) implements LrSchedule {}

    /// Warmup, then linearly down to 0 at `totalSteps`.
    record Linear(long warmupSteps, long totalSteps) implements LrSchedule {}

    /// Warmup, then a cosine: half a wave down to 0 at `totalSteps` for 0.5 cycles.
    record Cosine(long warmupSteps, long totalSteps, double cycles) implements LrSchedule {}

    long warmupSteps();

    /// Fraction of the base rate that the update at `step` uses, 0 for the first step.
    default double factor(long step) {
        if (step < warmupSteps()) {
            return step / (double) warmupSteps();
        }
        return switch (this) {
            case Constant _ -> 1;
            case Linear(long warmup, long total) -> Math.max(0, (total - step) / (double) Math.max(1, total - warmup));
            case Cosine(long warmup, long total, double cycles) -> {
                double progress = (step - warmup) / (double) Math.max(1, total - warmup);
                yield Math.max(0, 0.5 * (1 + Math.cos(Math.PI * cycles * 2 * progress)));
            }
        };
    }
}
