package dev.halftone.data;

import dev.halftone.InputException;
import java.util.ArrayList;
import java.util.List;

/// Says which samples each batch of each epoch holds.
///
/// A batch is a pure function of data, seed, epoch and index: a resumed run asks for the next index and goes on
/// as if it had never stopped.
public final class BatchLoader {
    private final Dataset dataset;
    private final int batchSize;
    private final boolean shuffle;
    private final long seed;
    private final int batches;

    /// The order of the epoch that was asked for last.
    private volatile Order order = new Order(-1, new int[0]);

    /// @param shuffle whether each epoch has its own order, drawn from the seed; otherwise it is that of the data
    /// @param dropLast whether samples that do not fill a last batch are left out; torchtune's recipes do so
    /// @throws InputException if no batch is left
    public BatchLoader(Dataset dataset, int batchSize, boolean shuffle, long seed, boolean dropLast) {
        if (batchSize < 1) {
            throw new InputException("batch_size: %d is no number of samples. Use 1 or more.".formatted(batchSize));
        }
        if (dataset.size() == 0 || (dropLast && dataset.size() < batchSize)) {
            throw new InputException(
                    ("the data has %d samples (packed rows, if packed), which do not fill one batch of %d. Lower"
                                    + " batch_size or max_seq_len, or add data.")
                            .formatted(dataset.size(), batchSize));
        }
        this.dataset = dataset;
        this.batchSize = batchSize;
        this.shuffle = shuffle;
        this.seed = seed;
        this.batches = dropLast ? dataset.size() / batchSize : Math.ceilDiv(dataset.size(), batchSize);
    }

    public int batchesPerEpoch() {
        return batches;
    }

    /// A batch.
    ///
    /// @param epoch from 0
    /// @param index from 0, below [#batchesPerEpoch]
    public Batch batch(int epoch, int index) {
        if (epoch < 0 || index < 0 || index >= batches) {
            throw new IndexOutOfBoundsException("batch %d of epoch %d, of %d".formatted(index, epoch, batches));
        }
        int[] samples = order(epoch);
        int end = Math.min((index + 1) * batchSize, samples.length);
        List<Sample> rows = new ArrayList<>(batchSize);
        for (int i = index * batchSize; i < end; i++) {
            rows.add(dataset.get(samples[i]));
        }
        return Batch.of(rows);
    }

    private int[] order(int epoch) {
        Order last = order;
        if (last.epoch != epoch) {
            int size = dataset.size();
            last = new Order(epoch, shuffle ? Shuffle.order(size, seed, epoch) : Shuffle.identity(size));
            order = last;
        }
        return last.samples;
    }

    private record Order(int epoch, int[] samples) {}
}
