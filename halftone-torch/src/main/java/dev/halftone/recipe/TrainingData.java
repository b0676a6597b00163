package dev.halftone.recipe;

import dev.halftone.config.schema.DatasetConfig;
import dev.halftone.config.schema.FinetuneConfig;
import dev.halftone.data.Batch;
import dev.halftone.data.BatchLoader;
import dev.halftone.data.Dataset;
import dev.halftone.data.Datasets;
import dev.halftone.format.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;

/// What a run is trained on, and what its loss is measured on meanwhile.
///
/// @param fingerprint of the samples in training
/// @param validation empty where there is no `dataset_val`
record TrainingData(BatchLoader loader, String fingerprint, List<Batch> validation) {
    /// @param model the folder of its configuration and tokenizer
    static TrainingData load(FinetuneConfig config, Path model) {
        // Known without reading any weight, so that a mistake in the data costs no time.
        int vocabulary =
                Json.readObject(model.resolve("config.json")).path("vocab_size").asInt(Integer.MAX_VALUE);
        Dataset dataset = Datasets.build(config.dataset(), model, config.maxSeqLen(), vocabulary);
        BatchLoader loader = new BatchLoader(dataset, config.batchSize(), config.shuffle(), config.seed(), true);
        DatasetConfig validation = config.datasetVal();
        return new TrainingData(
                loader,
                dataset.fingerprint(),
                validation == null
                        ? List.of()
                        : all(
                                Datasets.build(validation, model, config.maxSeqLen(), vocabulary),
                                config.batchSizeVal()));
    }

    private static List<Batch> all(Dataset dataset, int batchSize) {
        BatchLoader loader = new BatchLoader(dataset, batchSize, false, 0, false);
        return IntStream.range(0, loader.batchesPerEpoch())
                .mapToObj(i -> loader.batch(0, i))
                .toList();
    }

    int batchesPerEpoch() {
        return loader.batchesPerEpoch();
    }

    /// `count` batches of an epoch, from `first` on.
    List<Batch> batches(int epoch, int first, int count) {
        return IntStream.range(first, first + count)
                .mapToObj(i -> loader.batch(epoch, i))
                .toList();
    }
}
