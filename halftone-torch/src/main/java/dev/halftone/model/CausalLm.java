package dev.halftone.model;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.AttentionContext;
import dev.halftone.nn.Embedding;
import dev.halftone.nn.KvCache;
import dev.halftone.nn.Linear;
import dev.halftone.nn.LinearCrossEntropy;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.RmsNorm;
import dev.halftone.nn.RowStage;
import dev.halftone.nn.Targets;
import dev.halftone.nn.Weight;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A decoder-only language model: embedding, layers, norm, head.
///
/// [#hidden] is the part before the head. Losses and generation take it from there, since the logits of every
/// position are rarely wanted and always large.
///
/// Precision. A model loaded in float32 or bfloat16 computes in that dtype throughout, as transformers does. After
/// [#setComputeDtype] on a float32 model the products of its linear layers run in bfloat16, while embedding, residual
/// stream, norms and trained values stay float32 (torch's autocast).
public final class CausalLm extends Module {
    /// Builds the layer `index`, whose weights `source` holds.
    interface LayerBuilder {
        DecoderLayer build(int index, ParameterSource source);
    }

    private final DecoderConfig config;
    private final Embedding embedding;
    private final List<DecoderLayer> layers = new ArrayList<>();
    private final RmsNorm norm;
    private final Linear head;
    private boolean recompute;

    CausalLm(DecoderConfig config, ParameterSource source, LayerBuilder layer) {
        this.config = config;
        Weight table_VD = source.weight("model.embed_tokens.weight", config.vocabSize(), config.width());
        embedding = child("model.embed_tokens", new Embedding(table_VD));
        for (int i = 0; i < config.layers(); i++) {
            String path = "model.layers." + i;
            layers.add(child(path, layer.build(i, source.at(path))));
        }
        norm = child("model.norm", config.norm(source.at("model.norm")));
        head = child(
                "lm_head",
                config.tied()
                        ? new Linear(table_VD, null)
                        : Linear.of(source.at("lm_head"), config.width(), config.vocabSize(), false));
    }

    public DecoderConfig config() {
        return config;
    }

    public Linear head() {
        return head;
    }

    /// The layers in the order in which they run.
    public List<DecoderLayer> layers() {
        return Collections.unmodifiableList(layers);
    }

    /// Runs the linear layers' products in `dtype` over the trained values as they are; see the precision note above.
    public void setComputeDtype(DType dtype) {
        for (Module m : namedModules().values()) {
            if (m instanceof Linear linear) {
                linear.setComputeDtype(dtype);
            }
        }
    }

    /// Whether the forward pass of a training step keeps only the input of each layer, and the backward pass
    /// computes the rest again: less memory, more time, the same numbers.
    public void setActivationCheckpointing(boolean checkpointing) {
        recompute = checkpointing;
    }

    /// Hidden states of the tokens after the final norm: what the head reads.
    ///
    /// @return `[B, S, D]`
    /// @throws InputException if a token id is not in the vocabulary
    public Tensor hidden(Tokens tokens) {
        return hidden(tokens, null);
    }

    /// The same for tokens that follow those in `cache`, which takes them up.
    ///
    /// @return `[B, S, D]`, of the new tokens only
    /// @throws InputException if a token id is not in the vocabulary
    public Tensor hidden(Tokens tokens, @Nullable KvCache cache) {
        Tensor x_BSD = embed(tokens);
        try (AttentionContext context = context(tokens, cache)) {
            for (DecoderLayer layer : layers) {
                try (Scope scope = Scope.open()) {
                    x_BSD = scope.keep(layer.forward(x_BSD, context));
                }
            }
        }
        if (cache != null) {
            cache.advance(tokens.seqLen());
        }
        return norm.forward(x_BSD);
    }

    /// Rows of the embedding table: what the first layer reads.
    ///
    /// @return `[B, S, D]`
    /// @throws InputException if a token id is not in the vocabulary
    public Tensor embed(Tokens tokens) {
        for (int id : tokens.ids()) {
            if (id < 0 || id >= config.vocabSize()) {
                throw new InputException(
                        "Token id %d is not in the model's vocabulary of %d. Use the tokenizer that belongs to the checkpoint."
                                .formatted(id, config.vocabSize()));
            }
        }
        return embedding.forward(tensor(tokens.ids(), tokens.batchSize(), tokens.seqLen()));
    }

    /// What the layers share when they run over these tokens.
    public AttentionContext context(Tokens tokens, @Nullable KvCache cache) {
        int rows = tokens.samePositions() ? 1 : tokens.batchSize();
        int[] positions = Arrays.copyOf(tokens.positions(), rows * tokens.seqLen());
        return new AttentionContext(
                tensor(positions, rows, tokens.seqLen()),
                tokens.packed() ? tensor(tokens.documents(), tokens.batchSize(), tokens.seqLen()) : null,
                cache);
    }

    /// Logits of every position, in the dtype of the head's product. For few positions only.
    ///
    /// @param hidden_BSD from [#hidden]
    /// @return `[B, S, V]`
    public Tensor logits(Tensor hidden_BSD) {
        return head.forward(hidden_BSD);
    }

    /// The logits of one token after another, without a tensor's overhead at every step.
    public interface TokenStep {
        /// Logits after `token`, which follows those in `cache` and is taken up by it.
        ///
        /// @throws InputException if the token id is not in the vocabulary
        float[] logits(int token, KvCache cache);

        /// Logits of one position of [#hidden].
        ///
        /// @param hidden_D `[D]`
        float[] logits(float[] hidden_D);
    }

    /// The model as it is now, for generating token by token: in float32, from the packed or float weights as they lie
    /// in memory. Empty elsewhere than on the CPU, in float16, and where the JVM has no vectors.
    /// The model may neither be changed nor closed while the result is in use.
    public Optional<TokenStep> tokenStep() {
        Tensor scales_D = norm.weight().master();
        if (!Kernels.vectors() || !scales_D.is_cpu() || Torch.dtype(scales_D) == DType.F16) {
            return Optional.empty();
        }
        try (Scope _ = Scope.open()) {
            List<RowStage> stages = Stream.concat(layers.stream().map(DecoderLayer::row), Stream.of(norm.row()))
                    .toList();
            return Optional.of(new Rows(stages, Linear.row(head)));
        }
    }

    private final class Rows implements TokenStep {
        private final List<RowStage> stages;
        private final Function<float[], float[][]> last;

        Rows(List<RowStage> stages, Function<float[], float[][]> last) {
            this.stages = stages;
            this.last = last;
        }

        @Override
        public float[] logits(int token, KvCache cache) {
            float[] x;
            try (Scope _ = Scope.open();
                    NoGrad _ = NoGrad.open()) {
                x = Torch.floats(embed(Tokens.following(cache.length(), token)));
                for (RowStage stage : stages) {
                    x = stage.run(x, cache);
                }
            }
            cache.advance(1);
            return logits(x);
        }

        @Override
        public float[] logits(float[] hidden_D) {
            return last.apply(hidden_D)[0];
        }
    }

    /// Computes the loss of a batch and adds its gradients to those of the trainable parameters, native memory freed.
    ///
    /// @param normaliser what the sum is divided by in the gradients: the number of targets of the optimizer step
    /// @return the sum of negative log-likelihoods of the targets, in nats
    public double lossAndBackward(Tokens tokens, Targets targets, double normaliser) {
        return lossAndBackward(tokens, targets, normaliser, _ -> {});
    }

    /// The same, for those who use gradients up on the way.
    ///
    /// @param complete sees parameters when their gradients are complete: a layer's at a time, from the last
    ///     layer to the first, and in the end all of the model. It may change values and clear gradients
    public double lossAndBackward(
            Tokens tokens, Targets targets, double normaliser, Consumer<Collection<Parameter>> complete) {
        try (Scope _ = Scope.open();
                AttentionContext context = context(tokens, null)) {
            LayerWalk walk = new LayerWalk(embed(tokens), context, recompute);
            Tensor top_BSD = walk.forward(layers);
            double sum;
            try (Scope _ = Scope.open()) {
                sum = new LinearCrossEntropy(head).backward(norm.forward(top_BSD), targets, normaliser);
            }
            walk.backward(top_BSD, complete);
            // What lies beside the layers. A table that is tied to the head has its gradient from both only now.
            Collection<Parameter> all = allParameters().values();
            all.forEach(Parameter::collectGradient);
            complete.accept(all);
            return sum;
        }
    }

    /// The negative log-likelihood of every target in nats, without gradients.
    public float[] losses(Tokens tokens, Targets targets) {
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            return new LinearCrossEntropy(head).each(hidden(tokens), targets);
        }
    }

    /// On the device of the weights.
    private Tensor tensor(int[] values, int rows, int columns) {
        return Ops.toDeviceOf(Torch.of(values, rows, columns), norm.weight().master());
    }
}
