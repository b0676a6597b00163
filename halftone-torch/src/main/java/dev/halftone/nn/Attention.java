package dev.halftone.nn;

import dev.halftone.kernel.RowOps;
import dev.halftone.torch.Torch;
import java.util.function.Function;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Causal self-attention with rotary positions; grouped-query attention where there are fewer key heads than query
/// heads.
public final class Attention extends Module {
    /// @param layer index of the layer, which names its place in the cache
    /// @param heads query heads
    /// @param kvHeads key and value heads, a divisor of `heads`
    /// @param headDim features of a head
    /// @param rope null in layers without positions
    /// @param window tokens that a query sees, itself included; [AttentionContext#UNBOUNDED] for all
    public record Geometry(
            int layer,
            int heads,
            int kvHeads,
            int headDim,
            @Nullable RotaryEmbedding rope,
            int window) {}

    /// The four matrices. Children `q_proj`, `k_proj`, `v_proj`, `o_proj`.
    ///
    /// @param query to `heads · headDim` features
    /// @param key to `kvHeads · headDim`
    /// @param value to `kvHeads · headDim`
    /// @param output from `heads · headDim`
    public record Projections(Linear query, Linear key, Linear value, Linear output) {}

    /// Norms of queries and keys, before they are rotated: over a head's features, or over all heads' together, by
    /// their width. Children `q_norm`, `k_norm`.
    public record Norms(RmsNorm query, RmsNorm key) {}

    private final Geometry geometry;
    private final Projections projections;
    private final @Nullable Norms norms;

    /// @param norms null in families without
    public Attention(Geometry geometry, Projections projections, @Nullable Norms norms) {
        this.geometry = geometry;
        this.projections = projections;
        this.norms = norms;
        child("q_proj", projections.query);
        child("k_proj", projections.key);
        child("v_proj", projections.value);
        child("o_proj", projections.output);
        if (norms != null) {
            child("q_norm", norms.query);
            child("k_norm", norms.key);
        }
    }

    public Geometry geometry() {
        return geometry;
    }

    /// @param x_BSD layer input
    /// @return `[B, S, D]`
    public Tensor forward(Tensor x_BSD, AttentionContext context) {
        Tensor[] qkv = Linear.forwardAll(x_BSD, projections.query, projections.key, projections.value);
        Tensor q_BHSD = heads(qkv[0], norms == null ? null : norms.query);
        Tensor k_BGTD = heads(qkv[1], norms == null ? null : norms.key);
        Tensor v_BGTD = heads(qkv[2], null);
        RotaryEmbedding rope = geometry.rope;
        if (rope != null) {
            RotaryEmbedding.Rotation rotation = context.rotation(rope, Torch.dtype(x_BSD));
            q_BHSD = rotation.apply(q_BHSD);
            k_BGTD = rotation.apply(k_BGTD);
        }
        // Where the residual stream is wider than the products, so are norms and rotations.
        q_BHSD = q_BHSD.to(v_BGTD);
        k_BGTD = k_BGTD.to(v_BGTD);
        KvCache cache = context.cache();
        if (cache != null) {
            KvCache.Entry all = cache.append(geometry.layer, k_BGTD, v_BGTD);
            k_BGTD = all.k_BGTD();
            v_BGTD = all.v_BGTD();
        }
        double scale = 1 / Math.sqrt(geometry.headDim);
        Tensor o_BHSD = ScaledDotProduct.attend(q_BHSD, k_BGTD, v_BGTD, scale, geometry.window, context);
        return projections.output.forward(o_BHSD.transpose(1, 2).reshape(x_BSD.size(0), x_BSD.size(1), -1));
    }

    /// [#forward] over the row of a token that follows those in the cache, which takes it up.
    public RowStage row() {
        Function<float[], float[][]> inner = Linear.row(projections.query, projections.key, projections.value);
        Function<float[], float[][]> outer = Linear.row(projections.output);
        RowStage queryNorm = norms == null ? (q, _) -> q : norms.query.row();
        RowStage keyNorm = norms == null ? (k, _) -> k : norms.key.row();
        float scale = (float) (1 / Math.sqrt(geometry.headDim));
        return (x, cache) -> {
            int position = cache.length();
            float[][] qkv = inner.apply(x);
            float[] q = queryNorm.run(qkv[0], cache);
            float[] k = keyNorm.run(qkv[1], cache);
            if (geometry.rope != null) {
                geometry.rope.rotate(position, q, k);
            }
            KvCache.Entry room = cache.room(geometry.layer, geometry.kvHeads, geometry.headDim);
            RowOps.store(k, room.k_BGTD(), position);
            RowOps.store(qkv[2], room.v_BGTD(), position);
            int from = Math.max(0, position + 1 - geometry.window);
            float[] o = RowOps.attend(q, room.k_BGTD(), room.v_BGTD(), from, position + 1, scale);
            return outer.apply(o)[0];
        };
    }

    /// `[B, S, H · headDim]` to `[B, H, S, headDim]`, normalised over as many features as the norm is wide.
    private Tensor heads(Tensor t_BSN, @Nullable RmsNorm norm) {
        long b = t_BSN.size(0);
        long s = t_BSN.size(1);
        Tensor normal = norm == null ? t_BSN : norm.forward(t_BSN.view(b, s, -1, norm.width()));
        return normal.view(b, s, -1, geometry.headDim).transpose(1, 2);
    }
}
