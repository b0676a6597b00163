package dev.halftone.model;

import dev.halftone.kernel.RowOps;
import dev.halftone.nn.Attention;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.GatedMlp;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm;
import dev.halftone.nn.RowStage;
import org.bytedeco.pytorch.Tensor;

/// The arrangement of Llama and its kin: `x + attention(norm(x))`, then `x + mlp(norm(x))`.
final class PreNormLayer extends DecoderLayer {
    private final RmsNorm attentionNorm;
    private final Attention attention;
    private final RmsNorm mlpNorm;
    private final GatedMlp mlp;

    PreNormLayer(DecoderConfig config, ParameterSource source, Attention attention, GatedMlp mlp) {
        attentionNorm = child("input_layernorm", config.norm(source.at("input_layernorm")));
        this.attention = child("self_attn", attention);
        mlpNorm = child("post_attention_layernorm", config.norm(source.at("post_attention_layernorm")));
        this.mlp = child("mlp", mlp);
    }

    @Override
    public Tensor forward(Tensor x_BSD, AttentionContext context) {
        Tensor y_BSD = x_BSD.add(attention.forward(attentionNorm.forward(x_BSD), context));
        return y_BSD.add(mlp.forward(mlpNorm.forward(y_BSD)));
    }

    @Override
    public RowStage row() {
        RowStage before = attentionNorm.row();
        RowStage attend = attention.row();
        RowStage between = mlpNorm.row();
        RowStage feed = mlp.row();
        return (x, cache) -> {
            float[] y = RowOps.add(x, attend.run(before.run(x, cache), cache));
            return RowOps.add(y, feed.run(between.run(y, cache), cache));
        };
    }
}
