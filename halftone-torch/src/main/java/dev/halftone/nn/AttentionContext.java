package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.nn.RotaryEmbedding.Rotation;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What the layers of one forward pass share: where each token stands, which tokens it may attend to, and the cache.
/// Rotations and masks are computed when a layer first asks for them, and once.
///
/// Attention is always causal: token `i` of a row sees the tokens `j ≤ i`. That is all that right-padded rows need,
/// as the padding comes after whatever counts. Two things narrow it:
/// - *documents*, for rows packed from several samples: a token sees its own document only;
/// - a layer's *window*: the last `window` tokens, itself included.
///
/// Where plain causality is enough, libtorch's fused kernel is told so instead of being given a mask, and skips
/// what it need not compute.
///
/// Rotations and masks are the context's own, whatever scope a layer runs in; closing it drops them.
public final class AttentionContext implements AutoCloseable {
    /// No window: a token sees everything before it.
    public static final int UNBOUNDED = Integer.MAX_VALUE;

    private final Tensor positions_BS;
    private final @Nullable Tensor documents_BS;
    private final @Nullable KvCache cache;
    private final IdentityHashMap<RotaryEmbedding, Rotation> rotations = new IdentityHashMap<>();
    private final Map<Integer, Tensor> masks = new HashMap<>();
    private final Map<Integer, int[]> firsts = new HashMap<>();

    /// @param positions_BS int64 positions for the rotary embedding, `[B or 1, S]`
    /// @param documents_BS int64 `[B, S]`, equal for tokens of one document, which stand together; null
    ///     where each row is one
    /// @param cache what was read before these tokens; null to start at nothing. Not with documents
    public AttentionContext(Tensor positions_BS, @Nullable Tensor documents_BS, @Nullable KvCache cache) {
        if (documents_BS != null && cache != null) {
            throw new IllegalArgumentException("packed documents have no cache");
        }
        this.positions_BS = positions_BS;
        this.documents_BS = documents_BS;
        this.cache = cache;
    }

    @Nullable
    KvCache cache() {
        return cache;
    }

    /// @param dtype of the hidden states
    Rotation rotation(RotaryEmbedding rope, DType dtype) {
        return rotations.computeIfAbsent(rope, r -> {
            try (Scope _ = Scope.open()) {
                Rotation rotation = r.at(positions_BS, dtype);
                return new Rotation(Scope.own(rotation.cos_B1SD()), Scope.own(rotation.sin_B1SD()));
            }
        });
    }

    /// Whether the query at `i` sees exactly the keys `j ≤ i`, and there are as many of both.
    boolean isPlainlyCausal(int window) {
        return documents_BS == null && before() == 0 && positions_BS.size(1) <= window;
    }

    /// The first key that each query sees, `[B, S]`, or `[S]` where the rows are alike; the last is at its own
    /// position.
    ///
    /// @param window tokens that a query sees, itself included
    int[] first(int window) {
        return firsts.computeIfAbsent(window, w -> documents_BS == null ? first(w, before()) : first(w, documents_BS));
    }

    private int[] first(int window, int before) {
        int[] first = new int[Math.toIntExact(positions_BS.size(1))];
        Arrays.setAll(first, i -> Math.max(0, before + i + 1 - window));
        return first;
    }

    private static int[] first(int window, Tensor documents_BS) {
        long[] documents = Torch.longs(documents_BS);
        int s = Math.toIntExact(documents_BS.size(1));
        int[] first = new int[documents.length];
        int begin = 0;
        for (int i = 0; i < first.length; i++) {
            int position = i % s;
            if (position == 0 || documents[i] != documents[i - 1]) {
                begin = position;
            }
            first[i] = Math.max(begin, position + 1 - window);
        }
        return first;
    }

    /// What to add to attention scores: 0 where a query may look, -∞ where not. Null where all may look everywhere.
    ///
    /// @param window tokens that a query sees, itself included
    /// @param like a tensor of the attention's dtype and device
    /// @return `[1, 1, S, T]`, or `[B, 1, S, T]` with documents
    @Nullable
    Tensor mask(int window, Tensor like) {
        long s = positions_BS.size(1);
        if (documents_BS == null && s == 1 && before() < window) {
            return null;
        }
        return masks.computeIfAbsent(window, w -> {
            try (Scope _ = Scope.open()) {
                return Scope.own(mask(w, s, before(), like));
            }
        });
    }

    /// Keys that were there before these tokens.
    private int before() {
        return cache == null ? 0 : cache.length();
    }

    private Tensor mask(int window, long s, long before, Tensor like) {
        Tensor distance_ST = Ops.add(Ops.arange(s), (double) before)
                .unsqueeze(1)
                .sub(Ops.arange(before + s).unsqueeze(0));
        Tensor hidden = Ops.less(distance_ST, 0)
                .logical_or(Ops.less(distance_ST, window).logical_not());
        hidden = Ops.toDeviceOf(hidden, like).unsqueeze(0);
        if (documents_BS != null) {
            hidden = hidden.logical_or(documents_BS.unsqueeze(2).ne(documents_BS.unsqueeze(1)));
        }
        Tensor zeros =
                Torch.emptyLike(like, Torch.dtype(like), Torch.shape(hidden)).zero_();
        return Ops.maskedFill(zeros, hidden, Double.NEGATIVE_INFINITY).unsqueeze(1);
    }

    @Override
    public void close() {
        rotations.values().forEach(Rotation::close);
        masks.values().forEach(Tensor::close);
        rotations.clear();
        masks.clear();
    }
}
