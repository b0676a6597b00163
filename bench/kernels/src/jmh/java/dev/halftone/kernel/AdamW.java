package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// A step of AdamW on an MLP's weight in bfloat16: [Bf16AdamW], [StochasticAdamW].
public class AdamW extends Pair {
    public enum Rounding {
        NEAREST,
        STOCHASTIC
    }

    private static final Bf16AdamW.Coefficients NEAREST =
            new Bf16AdamW.Coefficients(1, 1 - 1e-6, 0.1, 0.999, 0.001, 0.1, 1e-8, 1e-4);
    private static final StochasticAdamW.Coefficients STOCHASTIC =
            new StochasticAdamW.Coefficients(1 - 1e-6f, 0.1f, 0.999f, 0.001f, 10, 1e-8f, 1e-4f);

    /// A weight and its moments.
    private record State(Tensor p, Tensor m, Tensor v) {
        State copy() {
            return new State(Ops.copy(p), Ops.copy(m), Ops.copy(v));
        }

        List<Tensor> all() {
            return List.of(p, m, v);
        }
    }

    @Param
    Rounding rounding;

    @Param("1536")
    int rows;

    private Tensor g;
    private State ours;
    private State theirs;

    @Override
    void prepare() {
        g = values(0.01);
        ours = new State(values(0.05), values(0.01), values(0.01).square());
        theirs = ours.copy();
    }

    private Tensor values(double deviation) {
        return normal(deviation, DType.BF16, rows, 576);
    }

    @Override
    List<Tensor> kernel() {
        switch (rounding) {
            case NEAREST -> Bf16AdamW.update(ours.p, g, ours.m, ours.v, NEAREST);
            case STOCHASTIC -> StochasticAdamW.update(ours.p, g, ours.m, ours.v, STOCHASTIC, 1);
        }
        return ours.all();
    }

    @Override
    List<Tensor> aten() {
        switch (rounding) {
            case NEAREST -> Bf16AdamW.aten(theirs.p, g, theirs.m, theirs.v, NEAREST);
            case STOCHASTIC -> StochasticAdamW.aten(theirs.p, g, theirs.m, theirs.v, STOCHASTIC, 1);
        }
        return theirs.all();
    }
}
