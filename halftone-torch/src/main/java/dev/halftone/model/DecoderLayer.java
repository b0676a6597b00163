package dev.halftone.model;

import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.Module;
import dev.halftone.nn.RowStage;
import org.bytedeco.pytorch.Tensor;

/// One layer of a decoder: attention and MLP around the residual stream, in the arrangement of its family.
public abstract class DecoderLayer extends Module {
    /// @param x_BSD residual stream
    /// @param context what the layers of this forward pass share
    /// @return the stream after this layer, same shape and dtype
    public abstract Tensor forward(Tensor x_BSD, AttentionContext context);

    /// [#forward] over the row of a token that follows those in the cache.
    public abstract RowStage row();
}
