package dev.halftone.config.schema;

import dev.halftone.config.Component;
import dev.halftone.config.Key;

/// How the learning rate changes from step to step. Each kind rises linearly from zero over the warm-up steps first.
public sealed interface LrSchedulerConfig {
    /// Optimizer steps of the rise.
    int numWarmupSteps();

    /// Falls along a cosine to zero.
    @Component(value = "get_cosine_schedule_with_warmup", doc = "falls along a cosine to zero at the last step")
    record Cosine(
            @Key(value = "optimizer steps of the rise", otherwise = "0")
            int numWarmupSteps,

            @Key(value = "waves of the cosine; one half falls once from the maximum to zero", otherwise = "0.5")
            double numCycles)
            implements LrSchedulerConfig {
        public Cosine {
            Check.atLeast("num_warmup_steps", numWarmupSteps, 0);
            Check.above("num_cycles", numCycles, 0);
        }
    }

    /// Falls along a line to zero.
    @Component(value = "get_linear_schedule_with_warmup", doc = "falls along a line to zero at the last step")
    record Linear(
            @Key(value = "optimizer steps of the rise", otherwise = "0")
            int numWarmupSteps) implements LrSchedulerConfig {
        public Linear {
            Check.atLeast("num_warmup_steps", numWarmupSteps, 0);
        }
    }

    /// Stays where it is.
    @Component(value = "get_constant_schedule_with_warmup", doc = "stays at its height")
    record Constant(
            @Key(value = "optimizer steps of the rise", otherwise = "0")
            int numWarmupSteps) implements LrSchedulerConfig {
        public Constant {
            Check.atLeast("num_warmup_steps", numWarmupSteps, 0);
        }
    }
}
