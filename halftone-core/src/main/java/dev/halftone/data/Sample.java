package dev.halftone.data;

import java.util.Arrays;

/// One row of a batch: a text, a conversation, or several of them packed.
///
/// @param inputIds `[n]` token ids
/// @param labels `[n]` what is to be predicted at each place, not shifted: the id, or [#IGNORED]
/// @param documentLengths lengths of the documents from left to right; what is left of the row is padding
public record Sample(int[] inputIds, int[] labels, int[] documentLengths) {
    /// The label of a token that is not learnt.
    public static final int IGNORED = -100;

    public Sample {
        if (inputIds.length == 0 || inputIds.length != labels.length) {
            throw new IllegalArgumentException("%d ids, %d labels".formatted(inputIds.length, labels.length));
        }
        if (Arrays.stream(documentLengths).sum() > inputIds.length) {
            throw new IllegalArgumentException("documents longer than the row of " + inputIds.length);
        }
    }

    /// One document.
    public Sample(int[] inputIds, int[] labels) {
        this(inputIds, labels, new int[] {inputIds.length});
    }

    /// One document of which every token is learnt.
    public Sample(int[] inputIds) {
        this(inputIds, inputIds);
    }

    public int length() {
        return inputIds.length;
    }

    /// The first `maxLength` tokens of one document.
    Sample truncated(int maxLength) {
        return length() <= maxLength
                ? this
                : new Sample(Arrays.copyOf(inputIds, maxLength), Arrays.copyOf(labels, maxLength));
    }
}
