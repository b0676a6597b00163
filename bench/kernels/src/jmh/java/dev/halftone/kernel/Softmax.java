package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// [AttentionRows] over the scores of 9 heads: scaled, masked, softmax; with its gradient, the weights
/// are computed anew, as [BlockAttention] does. Scores are copied first, since the kernel overwrites them.
public class Softmax extends Pair {
    private static final float SCALE = 0.125f;

    @Param
    Pass pass;

    @Param("512")
    int tokens;

    private Tensor scores;
    private Tensor upstream;
    private Tensor hidden;

    @Override
    void prepare() {
        scores = normal(8, DType.BF16, 9, tokens, tokens);
        upstream = normal(1, DType.BF16, 9, tokens, tokens);
        Tensor position = Ops.arange(tokens);
        hidden = position.view(1, -1).gt(position.view(-1, 1));
    }

    private AttentionRows.Visible visible(int row) {
        return new AttentionRows.Visible(0, row % tokens + 1);
    }

    @Override
    List<Tensor> kernel() {
        Tensor w = Ops.copy(scores);
        float[] statistics = AttentionRows.softmax(w, SCALE, this::visible);
        if (pass == Pass.FORWARD) {
            return List.of(w);
        }
        Tensor again = Ops.copy(scores);
        Tensor d = Ops.copy(upstream);
        AttentionRows.gradient(again, d, SCALE, statistics, this::visible);
        return List.of(w, d);
    }

    @Override
    List<Tensor> aten() {
        if (pass == Pass.FORWARD) {
            try (NoGrad _ = NoGrad.open()) {
                return List.of(weights(scores));
            }
        }
        Tensor leaf = scores.detach().requires_grad_(true);
        Tensor w = weights(leaf);
        Ops.backward(w, upstream);
        return List.of(w.detach(), leaf.grad());
    }

    private Tensor weights(Tensor scores) {
        Tensor seen = Ops.maskedFill(Ops.mul(scores, SCALE), hidden, Double.NEGATIVE_INFINITY);
        return Ops.softmax(seen, -1);
    }
}
