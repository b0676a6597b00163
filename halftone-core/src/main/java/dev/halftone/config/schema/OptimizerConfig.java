package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Foreign;
import dev.halftone.config.Key;
import java.util.List;

/// What changes the weights.
@Foreign(
        value = {"PagedAdamW8bit", "AdamW8bit", "AdamW4bit", "AdamWFp8"},
        why = "optimizer states of few bits are not in this version",
        harmless = "torch.optim.AdamW")
public sealed interface OptimizerConfig {
    /// The learning rate before the schedule.
    double lr();

    /// Adam with decoupled weight decay.
    @Component(
            value = {"AdamW", "PagedAdamW"},
            doc = "Adam with decoupled weight decay, torch.optim.AdamW")
    @Foreign(
            value = {"fused", "foreach", "capturable"},
            why = "the update is one fused kernel anyway")
    @Foreign(
            value = {"amsgrad", "maximize", "differentiable"},
            why = "this AdamW is the plain one",
            harmless = "false")
    record AdamW(
            @Key("the learning rate") double lr,

            @Key(value = "decay of the running averages of gradient and squared gradient", otherwise = "[0.9, 0.999]")
            List<Double> betas,

            @Key(value = "added to the denominator", otherwise = "1e-8")
            double eps,

            @Key(value = "weight decay, as a share of the learning rate", otherwise = "0.01")
            double weightDecay,

            @Key(
                    value =
                            "whether bfloat16 weights are rounded up or down at random, so that updates too small for them count on average",
                    otherwise = "false")
            boolean bf16StochasticRound)
            implements OptimizerConfig {
        public AdamW {
            Check.atLeast("lr", lr, 0);
            Check.atLeast("eps", eps, 0);
            Check.atLeast("weight_decay", weightDecay, 0);
            if (betas.size() != 2 || betas.stream().anyMatch(b -> !(b >= 0 && b < 1))) {
                throw new InputException(
                        "betas: %s are not two numbers from 0 to below 1. Use [0.9, 0.999].".formatted(betas));
            }
        }
    }
}
