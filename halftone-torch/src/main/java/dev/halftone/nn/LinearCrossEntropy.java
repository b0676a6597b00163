package dev.halftone.nn;

import dev.halftone.DType;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/// Cross entropy of the tokens that a model's head predicts, without ever holding the logits of a whole batch.
///
/// Logits are the largest tensor of a training step: 512 positions over a vocabulary of 49152 are 100 MB in
/// float32, and the usual loss needs four such. Here the head runs over a chunk of the positions at a time. The
/// chunk's logits, in the dtype of the head's product, are overwritten by their own gradient, a few rows at a time
/// in float32:
///
/// ```text
/// p = softmax(z)    loss = logsumexp(z) - z[token]    gradient = (p - onehot(token)) / normaliser
/// ```
///
/// and sent back through the head at once. The gradient of the hidden states is collected, and goes through the
/// rest of the model in one pass at the end. Positions that do not count never reach the head.
///
/// Rows are summed in float32, chunks in float64. Losses are in nats.
public final class LinearCrossEntropy {
    /// Logits of one chunk, at most. Fewer would mean more additions to the gradient of the head's weight.
    private static final long CHUNK_LOGITS = 1L << 24;
    /// Logits that are widened to float32 at a time, at most: 16 MB, which allocators recycle rather than return.
    private static final long BLOCK_LOGITS = 1L << 22;

    private final Linear head;
    private final int chunkRows;
    private final int blockRows;

    /// @param head from hidden states to logits, `[V, D]`
    public LinearCrossEntropy(Linear head) {
        this(head, rows(CHUNK_LOGITS, head), rows(BLOCK_LOGITS, head));
    }

    LinearCrossEntropy(Linear head, int chunkRows, int blockRows) {
        this.head = head;
        this.chunkRows = chunkRows;
        this.blockRows = blockRows;
    }

    private static int rows(long logits, Linear head) {
        return Math.toIntExact(Math.max(1, logits / head.outFeatures()));
    }

    /// Computes the loss and back-propagates it: gradients are added to those of the head and of everything that
    /// `hidden_BSD` was computed from.
    ///
    /// @param hidden_BSD what the head reads, part of an autograd graph
    /// @param normaliser what the gradients are divided by: usually the number of targets of a whole optimizer step
    /// @return the sum of negative log-likelihoods, not divided by anything
    /// @throws dev.halftone.InputException if a target is not in the vocabulary
    public double backward(Tensor hidden_BSD, Targets targets, double normaliser) {
        targets.check(head.outFeatures());
        try (Scope _ = Scope.open()) {
            Tensor h_ND = rows(hidden_BSD, targets);
            Tensor leaf_ND = h_ND.detach().requires_grad_(true);
            double sum = 0;
            for (Span chunk : new Span(0, targets.count()).split(chunkRows)) {
                try (Scope _ = Scope.open()) {
                    Tensor logits_NV = head.forward(chunk.of(leaf_ND));
                    Tensor gradient_NV = logits_NV.detach();
                    sum += overwriteByGradient(gradient_NV, chunk.of(targets.tokens()), normaliser);
                    Ops.backward(logits_NV, gradient_NV);
                }
            }
            if (h_ND.requires_grad() && targets.count() > 0) {
                Ops.backward(h_ND, leaf_ND.grad());
            }
            return sum;
        }
    }

    /// The same sum, without gradients.
    ///
    /// @throws dev.halftone.InputException if a target is not in the vocabulary
    public double sum(Tensor hidden_BSD, Targets targets) {
        double sum = 0;
        for (float loss : each(hidden_BSD, targets)) {
            sum += loss;
        }
        return sum;
    }

    /// The negative log-likelihood of every target, in their order, without gradients.
    ///
    /// @throws dev.halftone.InputException if a target is not in the vocabulary
    public float[] each(Tensor hidden_BSD, Targets targets) {
        targets.check(head.outFeatures());
        float[] losses = new float[targets.count()];
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            Tensor h_ND = rows(hidden_BSD, targets);
            for (Span chunk : new Span(0, targets.count()).split(chunkRows)) {
                try (Scope _ = Scope.open()) {
                    Tensor logits_NV = head.forward(chunk.of(h_ND));
                    Tensor tokens_N = tokens(chunk.of(targets.tokens()), h_ND);
                    for (Span block : new Span(0, chunk.rows()).split(blockRows)) {
                        try (Scope _ = Scope.open()) {
                            Tensor z_NV = Ops.to(block.of(logits_NV), DType.F32);
                            float[] each = Torch.floats(Ops.crossEntropyEach(z_NV, block.of(tokens_N)));
                            System.arraycopy(each, 0, losses, chunk.start + block.start, each.length);
                        }
                    }
                }
            }
        }
        return losses;
    }

    /// @param z_NV logits, which become the gradient of the sum of the losses, divided by `normaliser`
    /// @return the sum of the losses
    private double overwriteByGradient(Tensor z_NV, int[] tokens, double normaliser) {
        double sum = 0;
        try (NoGrad _ = NoGrad.open()) {
            for (Span block : new Span(0, tokens.length).split(blockRows)) {
                try (Scope _ = Scope.open()) {
                    Tensor z = Ops.to(block.of(z_NV), DType.F32);
                    Tensor token_N1 = tokens(block.of(tokens), z).unsqueeze(1);
                    Tensor p = Ops.softmax(z, 1);
                    // max(p) = exp(max(z) - logsumexp(z)), and it is never too small for a logarithm.
                    Tensor logSumExp_N1 = Ops.amax(z, 1).sub(Ops.amax(p, 1).log());
                    sum += logSumExp_N1.sub(z.gather(1, token_N1)).sum().item_double();
                    p.scatter_add_(1, token_N1, Ops.fill_(Torch.emptyLike(z, DType.F32, block.rows(), 1), -1));
                    block.of(z_NV).copy_(Ops.mul_(p, 1 / normaliser));
                }
            }
        }
        return sum;
    }

    /// Rows from `start` until before `end`.
    private record Span(int start, int end) {
        int rows() {
            return end - start;
        }

        Tensor of(Tensor t) {
            return t.narrow(0, start, rows());
        }

        int[] of(int[] values) {
            return Arrays.copyOfRange(values, start, end);
        }

        /// As few spans as the limit allows, of equal sizes as nearly as can be.
        List<Span> split(int limit) {
            int count = Math.ceilDiv(rows(), limit);
            List<Span> spans = new ArrayList<>(count);
            for (long i = 0; i < count; i++) {
                spans.add(new Span((int) (start + rows() * i / count), (int) (start + rows() * (i + 1) / count)));
            }
            return spans;
        }
    }

    private static Tensor tokens(int[] tokens, Tensor like) {
        return Ops.toDeviceOf(Torch.of(tokens, tokens.length), like);
    }

    /// The hidden states that count.
    private static Tensor rows(Tensor hidden_BSD, Targets targets) {
        Tensor rows_N = Ops.toDeviceOf(Torch.of(targets.rows(), targets.count()), hidden_BSD);
        return hidden_BSD.reshape(-1, hidden_BSD.size(2)).index_select(0, rows_N);
    }
}
