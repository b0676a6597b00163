package dev.halftone.model;

import dev.halftone.kernel.RowOps;
import dev.halftone.nn.Attention;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.GatedMlp;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm;
import dev.halftone.nn.RowStage;
import org.bytedeco.pytorch.Tensor;

/// The arrangement of OLMo 2: `x + norm(attention(x))`, then `x + norm(mlp(x))`.
final class PostNormLayer extends DecoderLayer {
    private final Attention attention;
    private final RmsNorm attentionNorm;
    private final GatedMlp mlp;
    private final RmsNorm mlpNorm;

    PostNormLayer(DecoderConfig config, ParameterSource source, Attention attention, GatedMlp mlp) {
        this.attention = child("self_attn", attention);
        attentionNorm = child("post_attention_layernorm", config.norm(source.at("post_attention_layernorm")));
        this.mlp = child("mlp", mlp);
        mlpNorm = child("post_feedforward_layernorm", config.norm(source.at("post_feedforward_layernorm")));
    }

    @Override
    public Tensor forward(Tensor x_BSD, AttentionContext context) {
        Tensor y_BSD = x_BSD.add(attentionNorm.forward(attention.forward(x_BSD, context)));
        return y_BSD.add(mlpNorm.forward(mlp.forward(y_BSD)));
    }

    @Override
    public RowStage row() {
        RowStage attend = attention.row();
        RowStage between = attentionNorm.row();
        RowStage feed = mlp.row();
        RowStage after = mlpNorm.row();
        return (x, cache) -> {
            float[] y = RowOps.add(x, between.run(attend.run(x, cache), cache));
            return RowOps.add(y, after.run(feed.run(y, cache), cache));
        };
    }
}
