package dev.halftone.nn;

import dev.halftone.InputException;
import dev.halftone.data.Batch;
import dev.halftone.data.Sample;
import java.util.Arrays;

/// Which positions of a batch count in the loss, and the token that each is to predict.
///
/// @param rows indices into the batch's positions in row-major order, `batch · seqLen` of them, ascending
/// @param tokens the token that each row is to predict
public record Targets(int[] rows, int[] tokens) {
    /// The label of a position that does not count.
    public static final int IGNORED = Sample.IGNORED;

    public Targets {
        if (rows.length != tokens.length) {
            throw new IllegalArgumentException(rows.length + " rows for " + tokens.length + " tokens");
        }
    }

    /// The targets of a batch.
    public static Targets of(Batch batch) {
        return shifted(batch.batchSize(), batch.seqLen(), batch.labels());
    }

    /// The targets of a causal language model: position `s` predicts the label at `s + 1`, and counts where that is
    /// not [#IGNORED].
    ///
    /// @param labels `[batchSize, seqLen]` row-major, not shifted
    public static Targets shifted(int batchSize, int seqLen, int[] labels) {
        if (labels.length != batchSize * seqLen) {
            throw new IllegalArgumentException("%d labels for %d x %d".formatted(labels.length, batchSize, seqLen));
        }
        int[] rows = new int[labels.length];
        int[] tokens = new int[labels.length];
        int n = 0;
        for (int b = 0; b < batchSize; b++) {
            for (int s = 0; s + 1 < seqLen; s++) {
                int label = labels[b * seqLen + s + 1];
                if (label != IGNORED) {
                    rows[n] = b * seqLen + s;
                    tokens[n++] = label;
                }
            }
        }
        return new Targets(Arrays.copyOf(rows, n), Arrays.copyOf(tokens, n));
    }

    /// How many positions count.
    public int count() {
        return rows.length;
    }

    /// @throws InputException if a token lies outside a vocabulary of this size
    void check(long vocabulary) {
        for (int token : tokens) {
            if (token < 0 || token >= vocabulary) {
                throw new InputException(
                        "Label %d is not a token of the model, which has %d. Use the tokenizer that belongs to the checkpoint."
                                .formatted(token, vocabulary));
            }
        }
    }
}
