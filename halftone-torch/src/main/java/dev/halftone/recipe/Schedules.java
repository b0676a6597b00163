package dev.halftone.recipe;

import dev.halftone.config.schema.LrSchedulerConfig;
import dev.halftone.config.schema.OptimizerConfig;
import dev.halftone.optim.AdamW;
import dev.halftone.optim.LrSchedule;
import org.jspecify.annotations.Nullable;

/// The parts of a configuration that say how weights change, as the optimizer takes them.
final class Schedules {
    private Schedules() {}

    /// @param totalSteps where a schedule that falls has fallen
    static LrSchedule of(@Nullable LrSchedulerConfig config, long totalSteps) {
        return switch (config) {
            case null -> new LrSchedule.Constant(0);
            case LrSchedulerConfig.Constant(int warmup) -> new LrSchedule.Constant(warmup);
            case LrSchedulerConfig.Linear(int warmup) -> new LrSchedule.Linear(warmup, totalSteps);
            case LrSchedulerConfig.Cosine(int warmup, double cycles) ->
                new LrSchedule.Cosine(warmup, totalSteps, cycles);
        };
    }

    static AdamW.Settings of(OptimizerConfig config) {
        return switch (config) {
            case OptimizerConfig.AdamW c ->
                new AdamW.Settings(
                        c.betas().getFirst(), c.betas().getLast(), c.eps(), c.weightDecay(), c.bf16StochasticRound());
        };
    }
}
