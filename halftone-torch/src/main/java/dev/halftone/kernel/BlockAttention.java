package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.bytedeco.pytorch.GradMode;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Causal attention in bfloat16 on a CPU, `softmax(q · kᵀ · scale) · v`, differentiable, a block of queries at a time.
///
/// The products are libtorch's, which use a processor's instructions for bfloat16; what is between them is
/// [AttentionRows]. Keys that no query of a block sees are left out, and the weights of a block are dropped once it is
/// done: the backward pass computes them anew from queries and keys, as in Dao et al., FlashAttention (2022). So memory
/// grows with the number of tokens, not with its square.
///
/// The softmax is in float32; weights and results round to bfloat16 once. Gradients of keys and values are summed over
/// the blocks in float32.
public final class BlockAttention {
    /// Queries in a block. Fewer leave out more of the pairs that nobody sees, and make smaller products.
    private static final int QUERIES = 512;

    private final Tensor q_BHSD;
    private final Tensor k_BGTD;
    private final Tensor v_BGTD;
    private final float scale;
    private final int[] first_BS;
    /// What [AttentionRows#softmax] found out about each row of each block.
    private final float[][] statistics;

    private BlockAttention(Tensor q_BHSD, Tensor k_BGTD, Tensor v_BGTD, double scale, int[] first_BS) {
        this.q_BHSD = q_BHSD.detach();
        this.k_BGTD = k_BGTD.detach();
        this.v_BGTD = v_BGTD.detach();
        this.scale = (float) scale;
        this.first_BS = first_BS;
        this.statistics = new float[Math.ceilDiv(size(2), QUERIES)][];
    }

    /// Whether [#attend] is the fastest way for such queries. Without instructions for bfloat16 it is not: libtorch's
    /// fused kernel over float32 then takes two thirds of its time.
    public static boolean serves(Tensor q_BHSD) {
        return Torch.dtype(q_BHSD) == DType.BF16
                && Kernels.choose(q_BHSD).kernels() == Kernels.VECTOR
                && !Products.widens(q_BHSD);
    }

    /// @param q_BHSD queries, which stand at the last S of the T positions
    /// @param k_BGTD keys, of as many heads as the queries or a divisor of that many
    /// @param v_BGTD values, like the keys
    /// @param first_BS the first key that each query sees, `[B, S]`, or `[S]` for all rows alike; the last is
    ///     the one at its own position
    /// @return `[B, H, S, D]`
    public static Tensor attend(Tensor q_BHSD, Tensor k_BGTD, Tensor v_BGTD, double scale, int[] first_BS) {
        try (Scope scope = Scope.open()) {
            // What autograd sees: a sum, of the right shape and with ways back to all three. Its values are
            // overwritten.
            Tensor q = alias(q_BHSD);
            Tensor k = alias(k_BGTD);
            Tensor v = alias(v_BGTD);
            Tensor y = q.add(one(k)).add_(one(v));
            BlockAttention attention = new BlockAttention(q, k, v, scale, first_BS);
            try (NoGrad _ = NoGrad.open()) {
                attention.forward(y.detach());
            }
            if (y.requires_grad() && GradMode.is_enabled()) {
                attention.record(y, q, k, v);
            }
            return scope.keep(y);
        }
    }

    private static Tensor alias(Tensor t) {
        return t.view(Torch.shape(t));
    }

    /// The first head at the first position, `[B, 1, 1, D]`.
    private static Tensor one(Tensor t_BGTD) {
        return t_BGTD.narrow(1, 0, 1).narrow(2, 0, 1);
    }

    /// Once the gradient of `y` is there, all three gradients are computed; each is handed over when its turn comes.
    private void record(Tensor y, Tensor... inputs) {
        List<Tensor> kept = List.of(q_BHSD, k_BGTD, v_BGTD);
        kept.forEach(Scope::own);
        List<@Nullable AtomicReference<@Nullable Tensor>> gradients = new ArrayList<>();
        for (Tensor input : inputs) {
            AtomicReference<@Nullable Tensor> gradient = new AtomicReference<>();
            boolean wanted = input.requires_grad();
            gradients.add(wanted ? gradient : null);
            if (wanted) {
                Hooks.onGradient(input, _ -> {
                    try (Tensor own = Objects.requireNonNull(gradient.getAndSet(null))) {
                        return own.detach();
                    }
                });
            }
        }
        Hooks.onGradient(y, upstream -> {
            Tensor[] all = backward(upstream);
            kept.forEach(Tensor::close);
            for (int i = 0; i < all.length; i++) {
                AtomicReference<@Nullable Tensor> gradient = gradients.get(i);
                if (gradient != null) {
                    gradient.set(Scope.own(all[i]));
                }
            }
            return upstream;
        });
    }

    private void forward(Tensor y_BHSD) {
        for (int i = 0; i < statistics.length; i++) {
            try (Scope _ = Scope.open()) {
                Block block = new Block(i);
                Tensor w_BGRT = block.scores();
                statistics[i] = AttentionRows.softmax(w_BGRT, scale, block::visible);
                block.of(y_BHSD).copy_(block.heads(Products.matmul(w_BGRT, block.keys(v_BGTD))));
            }
        }
    }

    /// @return the gradients of queries, keys and values
    private Tensor[] backward(Tensor g_BHSD) {
        Tensor dq_BHSD = Ops.emptyLike(q_BHSD);
        Tensor dk_BGTD = Torch.empty(DType.F32, Torch.shape(k_BGTD)).zero_();
        Tensor dv_BGTD = Torch.empty(DType.F32, Torch.shape(k_BGTD)).zero_();
        for (int i = 0; i < statistics.length; i++) {
            try (Scope _ = Scope.open()) {
                Block block = new Block(i);
                Tensor g_BGRD = block.rows(g_BHSD);
                Tensor w_BGRT = block.scores();
                Tensor d_BGRT = Products.matmul(g_BGRD, block.keys(v_BGTD).transpose(2, 3));
                AttentionRows.gradient(w_BGRT, d_BGRT, scale, statistics[i], block::visible);
                block.keys(dv_BGTD).add_(Products.matmul(w_BGRT.transpose(2, 3), g_BGRD));
                block.keys(dk_BGTD).add_(Products.matmul(d_BGRT.transpose(2, 3), block.rows(q_BHSD)));
                block.of(dq_BHSD).copy_(block.heads(Products.matmul(d_BGRT, block.keys(k_BGTD))));
            }
        }
        return new Tensor[] {dq_BHSD, Ops.to(dk_BGTD, DType.BF16), Ops.to(dv_BGTD, DType.BF16)};
    }

    private int size(int dimension) {
        return Math.toIntExact(q_BHSD.size(dimension));
    }

    /// Some queries, and the keys that one of them sees.
    private final class Block {
        private final int from;
        private final int queries;
        private final int firstKey;
        private final int keys;
        private final int before = Math.toIntExact(k_BGTD.size(2)) - size(2);

        Block(int i) {
            from = i * QUERIES;
            queries = Math.min(QUERIES, size(2) - from);
            int first = Integer.MAX_VALUE;
            for (int row = 0; row < first_BS.length; row += size(2)) {
                for (int s = from; s < from + queries; s++) {
                    first = Math.min(first, first_BS[row + s]);
                }
            }
            firstKey = first;
            keys = before + from + queries - first;
        }

        /// `q · kᵀ`; R counts the queries of the heads that share a key head: one product for them all.
        Tensor scores() {
            return Products.matmul(rows(q_BHSD), keys(k_BGTD).transpose(2, 3));
        }

        /// The block of something that is there for each query.
        Tensor of(Tensor t_BHSD) {
            return t_BHSD.narrow(2, from, queries);
        }

        /// `[B, G, R, D]`
        Tensor rows(Tensor t_BHSD) {
            long groups = k_BGTD.size(1);
            return of(t_BHSD).reshape(size(0), groups, size(1) / groups * queries, size(3));
        }

        /// The other way round.
        Tensor heads(Tensor t_BGRD) {
            return t_BGRD.view(size(0), size(1), queries, size(3));
        }

        Tensor keys(Tensor t_BGTD) {
            return t_BGTD.narrow(2, firstKey, keys);
        }

        /// The columns that a row of the scores has, as that row sees them.
        AttentionRows.Visible visible(int row) {
            int s = from + row % queries;
            int b = row / (queries * size(1));
            int first = first_BS[(b * size(2) + s) % first_BS.length];
            return new AttentionRows.Visible(first - firstKey, before + s + 1 - firstKey);
        }
    }
}
