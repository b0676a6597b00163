package dev.halftone.optim;

import dev.halftone.DType;
import dev.halftone.kernel.Bf16AdamW;
import dev.halftone.kernel.StochasticAdamW;
import dev.halftone.nn.Parameter;
import dev.halftone.torch.Dispatch;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/// Adam with decoupled weight decay, equal to `torch.optim.AdamW`.
///
/// With gradient g, step t from 1, rate lr:
///
///     p ← p · (1 - lr · weight_decay)
///     m ← m + (1 - β1) · (g - m)                  exp_avg
///     v ← β2 · v + (1 - β2) · g²                  exp_avg_sq
///     p ← p - lr / (1 - β1^t) · m / (√v / √(1 - β2^t) + eps)
///
/// Both moments have the parameter's dtype, as in torch. Three implementations: float32 by torch's fused operator,
/// bfloat16 by [Bf16AdamW], which rounds after each operator as torch's default does, and bfloat16 with stochastic
/// rounding by [StochasticAdamW], which computes in float32.
public final class AdamW implements AutoCloseable {
    /// The hyperparameters but the rate, which [#step] takes.
    ///
    /// @param beta1 decay of the mean of gradients
    /// @param beta2 decay of the mean of squared gradients
    /// @param bf16StochasticRound whether bfloat16 parameters are rounded up or down with probabilities that
    ///     keep the expected value exact. To the nearest, as torch does, an update under half a unit in the last
    ///     place (2^-9 of the weight) is lost: at usual fine-tuning rates that is most of them.
    public record Settings(double beta1, double beta2, double eps, double weightDecay, boolean bf16StochasticRound) {
        /// torch's defaults.
        public static final Settings DEFAULT = new Settings(0.9, 0.999, 1e-8, 0.01, false);
    }

    private record Slot(String name, Parameter parameter, Tensor mean, Tensor square) {}

    private final List<Slot> slots = new ArrayList<>();
    private final Settings settings;
    private final long seed;
    private long steps;

    /// @param parameters what is trained, by name; the order takes part in the random numbers of stochastic rounding
    /// @param seed of stochastic rounding
    public AdamW(Map<String, Parameter> parameters, Settings settings, long seed) {
        this.settings = settings;
        this.seed = seed;
        parameters.forEach((name, p) -> slots.add(new Slot(name, p, zerosLike(p), zerosLike(p))));
    }

    private static Tensor zerosLike(Parameter p) {
        try (Scope _ = Scope.open()) {
            return Scope.own(Torch.emptyLike(p.master(), p.dtype(), p.shape()).zero_());
        }
    }

    /// Updates every parameter that has a gradient.
    public void step(double lr) {
        step(lr, 1);
    }

    /// The same with every gradient multiplied by `factor`, such as [Gradients#clipping]; in place or not.
    public void step(double lr, float factor) {
        beginStep();
        update(slots.stream().map(Slot::parameter).toList(), lr, factor);
    }

    /// Begins a step whose parameters are updated bit by bit, each once, by [#update].
    public void beginStep() {
        steps++;
    }

    /// Updates those of these parameters that have a gradient, as [#step] would update them.
    ///
    /// @param factor what every gradient is multiplied by before
    public void update(Collection<Parameter> parameters, double lr, float factor) {
        Set<Parameter> these = Set.copyOf(parameters);
        List<Slot> fused = new ArrayList<>();
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            for (int i = 0; i < slots.size(); i++) {
                Slot s = slots.get(i);
                Tensor g = these.contains(s.parameter) ? s.parameter.gradient() : null;
                if (g == null) {
                    continue;
                }
                if (s.parameter.dtype() != DType.BF16) {
                    fused.add(s);
                } else if (settings.bf16StochasticRound) {
                    stochastic(s, scaled(g, factor), lr, i);
                } else {
                    rounded(s, g, lr, factor);
                }
                s.parameter.changed();
            }
            if (!fused.isEmpty()) {
                fused.forEach(s -> scaled(s.parameter.master().grad(), factor));
                fused(fused, lr);
            }
        }
    }

    private static Tensor scaled(Tensor g, float factor) {
        return factor == 1 ? g : Ops.mul_(g, factor);
    }

    private void fused(List<Slot> fused, double lr) {
        List<Tensor> masters = fused.stream().map(s -> s.parameter.master()).toList();
        Tensor count = Ops.fill_(Torch.emptyLike(masters.getFirst(), DType.F32), (double) steps);
        Dispatch.call(
                "_fused_adamw_",
                "",
                masters,
                masters.stream().map(Tensor::grad).toList(),
                fused.stream().map(Slot::mean).toList(),
                fused.stream().map(Slot::square).toList(),
                List.of(),
                Collections.nCopies(masters.size(), count),
                lr,
                settings.beta1,
                settings.beta2,
                settings.weightDecay,
                settings.eps,
                false, // amsgrad
                false, // maximize
                null,
                null);
    }

    private void rounded(Slot s, Tensor g, double lr, float factor) {
        var coefficients = new Bf16AdamW.Coefficients(
                factor,
                1 - lr * settings.weightDecay,
                1 - settings.beta1,
                settings.beta2,
                1 - settings.beta2,
                Math.sqrt(correction(settings.beta2)),
                settings.eps,
                lr / correction(settings.beta1));
        Bf16AdamW.update(s.parameter.master(), g, s.mean, s.square, coefficients);
    }

    private void stochastic(Slot s, Tensor g, double lr, int index) {
        var coefficients = new StochasticAdamW.Coefficients(
                (float) (1 - lr * settings.weightDecay),
                (float) (1 - settings.beta1),
                (float) settings.beta2,
                (float) (1 - settings.beta2),
                (float) (1 / Math.sqrt(correction(settings.beta2))),
                (float) settings.eps,
                (float) (lr / correction(settings.beta1)));
        long key = StochasticAdamW.key(seed, steps, index);
        StochasticAdamW.update(s.parameter.master(), g, s.mean, s.square, coefficients, key);
    }

    /// `1 - β^t`, which makes up for the moments' start at zero.
    private double correction(double beta) {
        return 1 - Math.pow(beta, (double) steps);
    }

    /// Updates done so far.
    public long steps() {
        return steps;
    }

    /// The tensors that a checkpoint has to store beside [#steps()]: `<parameter>.exp_avg` and
    /// `<parameter>.exp_avg_sq`.
    /// To restore, copy the stored values into them and call [#restoreSteps].
    public Map<String, Tensor> state() {
        Map<String, Tensor> state = new LinkedHashMap<>();
        for (Slot s : slots) {
            state.put(s.name + ".exp_avg", s.mean);
            state.put(s.name + ".exp_avg_sq", s.square);
        }
        return state;
    }

    public void restoreSteps(long steps) {
        this.steps = steps;
    }

    /// Frees the moments.
    @Override
    public void close() {
        state().values().forEach(Tensor::close);
        slots.clear();
    }
}
