package dev.halftone.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Joins samples to rows of one length, so that no step is spent on padding.
///
/// Greedy and in order, as torchtune's `PackedDataset` (torchtune/datasets/_packed.py, 0.7): samples are put side
/// by side until the next does not fit. Attention stays within a document (see [Batch#documents]), and its first
/// token, which nothing in the row predicts, is never learnt.
///
/// In two places this does better than torchtune. Positions start at 0 with each document of a row; torchtune
/// lets them wrap around in the middle of a document that is longer than a row. And a text that is split over
/// rows is not first cut to the length of one.
public final class Packing {
    private Packing() {}

    /// Packs samples of one document each.
    ///
    /// @param length tokens of a row; the last row is padded to it
    /// @param split whether a sample that does not fit goes on in the next row, instead of starting there
    /// @throws IllegalArgumentException if a sample is longer than a row and may not be split
    public static Dataset pack(Dataset samples, int length, boolean split) {
        List<Sample> rows = new ArrayList<>();
        Row row = new Row(length);
        for (int i = 0; i < samples.size(); i++) {
            Sample sample = samples.get(i);
            if (!split && sample.length() > length) {
                throw new IllegalArgumentException(
                        "a sample of %d tokens does not fit a row of %d".formatted(sample.length(), length));
            }
            int taken = 0;
            while (taken < sample.length()) {
                int rest = sample.length() - taken;
                if (row.space() == 0 || (!split && row.space() < rest)) {
                    rows.add(row.sample());
                    row = new Row(length);
                }
                int count = Math.min(rest, row.space());
                row.add(sample, taken, count);
                taken += count;
            }
        }
        if (row.used > 0) {
            rows.add(row.sample());
        }
        return Dataset.of(rows);
    }

    private static final class Row {
        private final int[] ids;
        private final int[] labels;
        private final List<Integer> documents = new ArrayList<>();
        private int used;

        Row(int length) {
            ids = new int[length];
            labels = new int[length];
            Arrays.fill(labels, Sample.IGNORED);
        }

        int space() {
            return ids.length - used;
        }

        void add(Sample sample, int from, int count) {
            System.arraycopy(sample.inputIds(), from, ids, used, count);
            System.arraycopy(sample.labels(), from, labels, used, count);
            labels[used] = Sample.IGNORED;
            documents.add(count);
            used += count;
        }

        Sample sample() {
            return new Sample(
                    ids, labels, documents.stream().mapToInt(Integer::intValue).toArray());
        }
    }
}
