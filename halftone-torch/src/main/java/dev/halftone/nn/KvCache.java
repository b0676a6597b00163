package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/// Keys and values of the tokens that a model has read, so that generating the next one costs one position only.
///
/// All room is taken when the first tokens arrive and never grows: `capacity` positions of every layer, in the
/// dtype of the keys. Close it to give the memory back.
public final class KvCache implements AutoCloseable {
    /// Keys and values of one layer up to now.
    ///
    /// @param k_BGTD heads are those of the keys, fewer than those of the queries under grouped-query attention
    /// @param v_BGTD same shape
    public record Entry(Tensor k_BGTD, Tensor v_BGTD) {}

    private final List<Entry> layers = new ArrayList<>();
    private final int capacity;
    private int length;

    /// @param capacity positions that there is room for
    public KvCache(int capacity) {
        this.capacity = capacity;
    }

    /// Positions read so far by a whole forward pass.
    public int length() {
        return length;
    }

    public int capacity() {
        return capacity;
    }

    /// Stores the keys and values of the positions that are being read, after those of [#length()] positions before.
    ///
    /// @param layer counted from 0; the first pass names them in order
    /// @return views of all keys and values of that layer, the new ones included
    Entry append(int layer, Tensor k_BGSD, Tensor v_BGSD) {
        long s = k_BGSD.size(2);
        if (length + s > capacity) {
            throw new IllegalStateException("%d positions do not fit a cache of %d".formatted(length + s, capacity));
        }
        if (layer == layers.size()) {
            layers.add(new Entry(room(k_BGSD), room(v_BGSD)));
        }
        Entry all = layers.get(layer);
        try (NoGrad _ = NoGrad.open()) {
            all.k_BGTD.narrow(2, length, s).copy_(k_BGSD);
            all.v_BGTD.narrow(2, length, s).copy_(v_BGSD);
            return new Entry(all.k_BGTD.narrow(2, 0, length + s), all.v_BGTD.narrow(2, 0, length + s));
        }
    }

    /// All the room of a layer, the positions from [#length()] on not filled yet; in float32, where no pass has taken
    /// it yet.
    ///
    /// @param layer counted from 0; the first time they are named in order
    Entry room(int layer, int kvHeads, int headDim) {
        if (length == capacity) {
            throw new IllegalStateException("a cache of %d positions is full".formatted(capacity));
        }
        if (layer == layers.size()) {
            layers.add(new Entry(
                    Scope.own(Torch.empty(DType.F32, 1, kvHeads, capacity, headDim)),
                    Scope.own(Torch.empty(DType.F32, 1, kvHeads, capacity, headDim))));
        }
        return layers.get(layer);
    }

    /// Counts `positions` as read, once every layer stored them.
    public void advance(int positions) {
        length += positions;
    }

    private Tensor room(Tensor like_BGSD) {
        return Scope.own(Torch.emptyLike(
                like_BGSD, Torch.dtype(like_BGSD), like_BGSD.size(0), like_BGSD.size(1), capacity, like_BGSD.size(3)));
    }

    @Override
    public void close() {
        for (Entry e : layers) {
            e.k_BGTD.close();
            e.v_BGTD.close();
        }
        layers.clear();
        length = 0;
    }
}
