package dev.halftone.nn;

import dev.halftone.kernel.RowOps;
import dev.halftone.torch.Ops;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;

/// The feed-forward part of a layer, SwiGLU (Shazeer 2020): `down(silu(gate(x)) · up(x))`.
public final class GatedMlp extends Module {
    private final Linear gate;
    private final Linear up;
    private final Linear down;

    /// The MLP whose `gate_proj`, `up_proj` and `down_proj` this source holds.
    ///
    /// @param inner features between the projections
    public GatedMlp(ParameterSource source, long width, long inner, boolean bias) {
        gate = child("gate_proj", Linear.of(source.at("gate_proj"), width, inner, bias));
        up = child("up_proj", Linear.of(source.at("up_proj"), width, inner, bias));
        down = child("down_proj", Linear.of(source.at("down_proj"), inner, width, bias));
    }

    /// @param x `[…, D]`
    /// @return same shape
    public Tensor forward(Tensor x) {
        Tensor[] gateUp = Linear.forwardAll(x, gate, up);
        return down.forward(Ops.silu(gateUp[0]).mul(gateUp[1]));
    }

    /// [#forward] over a row.
    public RowStage row() {
        Function<float[], float[][]> inner = Linear.row(gate, up);
        Function<float[], float[][]> outer = Linear.row(down);
        return (x, _) -> {
            float[][] gateUp = inner.apply(x);
            RowOps.gate(gateUp[0], gateUp[1]);
            return outer.apply(gateUp[0])[0];
        };
    }
}
