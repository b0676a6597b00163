package dev.halftone.data;

import java.util.Arrays;
import java.util.List;

/// What one forward pass sees: rows of equal length, `[batchSize, seqLen]` row-major.
///
/// Shorter rows are padded on the right, where a causal model cannot look, with id 0, label [Sample#IGNORED]
/// and document [#PADDING]; so padding changes no other token.
///
/// @param inputIds token ids
/// @param labels not shifted
/// @param positions of each token in its document, from 0; padding goes on counting
/// @param documents which document of its row each token belongs to, from 0, or [#PADDING]; where a row has
///     several, attention must stay within each
public record Batch(int batchSize, int seqLen, int[] inputIds, int[] labels, int[] positions, int[] documents) {
    /// The document of padding.
    public static final int PADDING = -1;

    public Batch {
        int n = Math.multiplyExact(batchSize, seqLen);
        if (inputIds.length != n || labels.length != n || positions.length != n || documents.length != n) {
            throw new IllegalArgumentException("arrays are not of %d x %d".formatted(batchSize, seqLen));
        }
    }

    /// The samples side by side, padded to the longest.
    public static Batch of(List<Sample> samples) {
        int rows = samples.size();
        int length = samples.stream().mapToInt(Sample::length).max().orElseThrow();
        int[] ids = new int[rows * length];
        int[] labels = new int[rows * length];
        int[] positions = new int[rows * length];
        int[] documents = new int[rows * length];
        Arrays.fill(labels, Sample.IGNORED);
        Arrays.fill(documents, PADDING);
        for (int row = 0; row < rows; row++) {
            Sample sample = samples.get(row);
            int start = row * length;
            System.arraycopy(sample.inputIds(), 0, ids, start, sample.length());
            System.arraycopy(sample.labels(), 0, labels, start, sample.length());
            int at = start;
            int position = 0;
            for (int document = 0; document < sample.documentLengths().length; document++) {
                int end = at + sample.documentLengths()[document];
                Arrays.fill(documents, at, end, document);
                for (position = 0; at < end; at++) {
                    positions[at] = position++;
                }
            }
            while (at < start + length) {
                positions[at++] = position++;
            }
        }
        return new Batch(rows, length, ids, labels, positions, documents);
    }
}
