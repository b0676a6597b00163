package dev.halftone.data;

import dev.halftone.InputException;
import dev.halftone.chat.ChatTemplate;
import dev.halftone.chat.Message;
import dev.halftone.config.schema.DatasetConfig;
import dev.halftone.config.schema.SourceFormat;
import dev.halftone.config.schema.Split;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Reads and tokenizes what a configuration names, with the semantics of torchtune's dataset builders of the same
/// names.
///
/// Three differences are on purpose: a `.txt` file is one document, not one for each line; a text starts with a
/// begin-of-sequence token only if the tokenizer itself puts one there; and a sample that is cut at `max_seq_len`
/// keeps its real last token instead of an end-of-sequence token in its place.
public final class Datasets {
    private static final JsonMapper JSON = JsonMapper.shared();

    private Datasets() {}

    /// The data set of a configuration, packed if it says so.
    ///
    /// @param modelFolder whose tokenizer and chat template are used; [DatasetConfig.Tokenized] needs neither
    /// @param maxSeqLen longest sample, or length of a packed row; null cuts nothing
    /// @param vocabSize how many ids the model knows
    /// @throws InputException naming file and line, if the files are missing, empty, malformed or unfit
    public static Dataset build(DatasetConfig config, Path modelFolder, @Nullable Integer maxSeqLen, int vocabSize) {
        if (config instanceof DatasetConfig.Tokenized tokenized) {
            return finish(config, tokenized(tokenized, vocabSize), maxSeqLen);
        }
        try (Tokenizer tokenizer = Tokenizers.load(modelFolder)) {
            Dataset dataset = build(config, tokenizer, ChatTemplate.load(modelFolder), maxSeqLen);
            dataset.checkIds(vocabSize);
            return dataset;
        }
    }

    /// The same with a tokenizer and template of one's own.
    ///
    /// @param template the model's, if it has one
    public static Dataset build(
            DatasetConfig config, Tokenizer tokenizer, Optional<ChatTemplate> template, @Nullable Integer maxSeqLen) {
        ConversationEncoder encoder = new ConversationEncoder(tokenizer, template);
        List<Sample> samples = switch (config) {
            case DatasetConfig.TextCompletion c -> texts(c, tokenizer);
            case DatasetConfig.Instruct c ->
                conversations(
                        rows(c.dataFiles(), c.source(), c.columnMap().getOrDefault("output", "output"), c.split()),
                        row -> Conversations.instruct(row, c.columnMap(), c.newSystemPrompt()),
                        encoder,
                        c.trainOnInput());
            case DatasetConfig.Alpaca c ->
                conversations(
                        rows(c.dataFiles(), c.source(), c.columnMap().getOrDefault("output", "output"), c.split()),
                        row -> Conversations.alpaca(row, c.columnMap()),
                        encoder,
                        c.trainOnInput());
            case DatasetConfig.Chat c ->
                conversations(
                        rows(c.dataFiles(), c.source(), c.conversationColumn(), c.split()),
                        row -> chat(row, c),
                        encoder,
                        c.trainOnInput());
            case DatasetConfig.Tokenized c -> tokenized(c, tokenizer.vocabSize());
        };
        return finish(config, samples, maxSeqLen);
    }

    private static List<Message> chat(Row row, DatasetConfig.Chat config) {
        return switch (config.conversationStyle()) {
            case OPENAI -> Conversations.openAi(row, config.conversationColumn(), config.newSystemPrompt());
            case SHAREGPT -> Conversations.shareGpt(row, config.conversationColumn(), config.newSystemPrompt());
        };
    }

    private static List<Row> rows(List<Path> paths, @Nullable SourceFormat format, String column, Split split) {
        RowReader reader = new RowReader(format, column);
        List<Row> rows = reader.read(DataFiles.resolve(paths, reader::accepts));
        List<Row> taken = rows.subList(split.start(rows.size()), split.end(rows.size()));
        if (taken.isEmpty()) {
            throw new InputException(
                    "split: %s takes none of the %d samples in data_files. Widen it.".formatted(split, rows.size()));
        }
        return taken;
    }

    private static List<Sample> texts(DatasetConfig.TextCompletion config, Tokenizer tokenizer) {
        OptionalInt eos = tokenizer.eosId();
        if (config.addEos() && eos.isEmpty()) {
            throw new InputException(
                    "add_eos: the tokenizer has no end-of-sequence token. Name one in tokenizer_config.json"
                            + " (eos_token), or set add_eos to false.");
        }
        return rows(config.dataFiles(), config.source(), config.column(), config.split()).parallelStream()
                .map(row -> text(row, config, tokenizer, eos))
                .toList();
    }

    private static Sample text(Row row, DatasetConfig.TextCompletion config, Tokenizer tokenizer, OptionalInt eos) {
        int[] ids = tokenizer.encode(row.text(config.column()), true);
        if (config.addEos() && (ids.length == 0 || ids[ids.length - 1] != eos.getAsInt())) {
            ids = Arrays.copyOf(ids, ids.length + 1);
            ids[ids.length - 1] = eos.getAsInt();
        }
        if (ids.length == 0) {
            throw row.error("the text is empty", "Remove it.");
        }
        return new Sample(ids);
    }

    private static List<Sample> conversations(
            List<Row> rows, Function<Row, List<Message>> reader, ConversationEncoder encoder, boolean trainOnInput) {
        return rows.parallelStream()
                .map(row -> conversation(row, reader.apply(row), encoder, trainOnInput))
                .toList();
    }

    private static Sample conversation(
            Row row, List<Message> messages, ConversationEncoder encoder, boolean trainOnInput) {
        JsonNode tools = row.fields().path("tools");
        Map<String, ?> extras = tools.isArray() ? Map.of("tools", JSON.treeToValue(tools, Object.class)) : Map.of();
        try {
            return encoder.encode(messages, extras, trainOnInput);
        } catch (InputException e) {
            throw new InputException(row.where() + ": " + e.getMessage(), e);
        }
    }

    private static List<Sample> tokenized(DatasetConfig.Tokenized config, int vocabSize) {
        List<Sample> samples = new ArrayList<>();
        for (Row row : rows(config.dataFiles(), SourceFormat.JSON, "input_ids", config.split())) {
            int[] ids = ids(row, "input_ids", vocabSize, false);
            int[] labels = row.fields().has("labels") ? ids(row, "labels", vocabSize, true) : ids;
            if (ids.length == 0) {
                throw row.error("'input_ids' is empty", "Remove the line.");
            }
            if (labels.length != ids.length) {
                throw row.error(
                        "%d 'labels' for %d 'input_ids'".formatted(labels.length, ids.length),
                        "Give one label for each id, -100 where nothing is learnt.");
            }
            samples.add(new Sample(ids, labels));
        }
        return samples;
    }

    private static int[] ids(Row row, String column, int vocabSize, boolean ignoredToo) {
        JsonNode list = row.list(column);
        int[] ids = new int[list.size()];
        for (int i = 0; i < ids.length; i++) {
            JsonNode id = list.get(i);
            if (!id.isInt()) {
                throw row.error("'%s' holds %s, which is not a token id".formatted(column, id), "Write whole numbers.");
            }
            ids[i] = id.intValue();
            boolean known = ids[i] >= 0 && ids[i] < vocabSize;
            if (!known && !(ignoredToo && ids[i] == Sample.IGNORED)) {
                throw row.error(
                        "'%s' holds the id %d, which is outside of the model's vocabulary of %d"
                                .formatted(column, ids[i], vocabSize),
                        "Use the tokenizer that belongs to the model.");
            }
        }
        return ids;
    }

    /// Cuts or packs, and checks that something is left to learn.
    private static Dataset finish(DatasetConfig config, List<Sample> samples, @Nullable Integer maxSeqLen) {
        boolean split = config instanceof DatasetConfig.TextCompletion text && text.splitAcrossPack();
        Dataset dataset = Dataset.of(samples);
        if (config.packed() && maxSeqLen == null) {
            throw new InputException("packed: rows need a length. Set max_seq_len.");
        }
        if (maxSeqLen != null && !(config.packed() && split)) {
            dataset =
                    Dataset.of(samples.stream().map(s -> s.truncated(maxSeqLen)).toList());
        }
        if (config.packed() && maxSeqLen != null) {
            dataset = Packing.pack(dataset, maxSeqLen, split);
        }
        requireLabels(dataset);
        return dataset;
    }

    private static void requireLabels(Dataset dataset) {
        for (int i = 0; i < dataset.size(); i++) {
            int[] labels = dataset.get(i).labels();
            for (int k = 1; k < labels.length; k++) {
                if (labels[k] != Sample.IGNORED) {
                    return;
                }
            }
        }
        throw new InputException(
                "no sample of the data has a token to learn. Raise max_seq_len, or set train_on_input.");
    }
}
