package dev.halftone.model;

import dev.halftone.data.Batch;
import java.util.Arrays;
import java.util.stream.IntStream;

/// The tokens of one forward pass, row-major `[batchSize, seqLen]`.
///
/// @param ids token ids
/// @param positions of each token in its document, for the rotary embedding
/// @param documents the document that each token belongs to, in rows packed from several; a token attends to its own
///     document only. [Batch#PADDING] for padding, which comes last in its row
public record Tokens(int batchSize, int seqLen, int[] ids, int[] positions, int[] documents) {
    public Tokens {
        int n = Math.multiplyExact(batchSize, seqLen);
        if (n == 0 || ids.length != n || positions.length != n || documents.length != n) {
            throw new IllegalArgumentException("%d ids, %d positions, %d documents for %d x %d tokens"
                    .formatted(ids.length, positions.length, documents.length, batchSize, seqLen));
        }
    }

    /// The inputs of a batch.
    public static Tokens of(Batch batch) {
        return new Tokens(batch.batchSize(), batch.seqLen(), batch.inputIds(), batch.positions(), batch.documents());
    }

    /// Rows of one document each, which may be padded on the right.
    ///
    /// @param ids `[batchSize, seqLen]` row-major
    public static Tokens of(int batchSize, int seqLen, int[] ids) {
        int[] positions = IntStream.range(0, ids.length).map(i -> i % seqLen).toArray();
        return new Tokens(batchSize, seqLen, ids, positions, new int[ids.length]);
    }

    /// One sequence.
    public static Tokens of(int... ids) {
        return of(1, ids.length, ids);
    }

    /// One sequence that goes on at this position, for use with a cache that holds what came before.
    public static Tokens following(int position, int... ids) {
        int[] positions = IntStream.range(position, position + ids.length).toArray();
        return new Tokens(1, ids.length, ids, positions, new int[ids.length]);
    }

    /// Whether some row holds more than one document, so that attention needs a mask.
    boolean packed() {
        for (int i = 0; i < ids.length; i++) {
            int first = documents[i - i % seqLen];
            if (documents[i] != Batch.PADDING && documents[i] != first) {
                return true;
            }
        }
        return false;
    }

    /// Whether every row has the positions of the first.
    boolean samePositions() {
        for (int b = 1; b < batchSize; b++) {
            if (!Arrays.equals(positions, 0, seqLen, positions, b * seqLen, (b + 1) * seqLen)) {
                return false;
            }
        }
        return true;
    }
}
