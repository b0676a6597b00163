package dev.halftone.config.schema;

import dev.halftone.InputException;
import dev.halftone.config.Component;
import dev.halftone.config.Key;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What is trained on. Everything is read from local files: nothing is fetched from a hub.
public sealed interface DatasetConfig {
    /// Whether samples are joined to rows of exactly `max_seq_len` tokens.
    boolean packed();

    /// The files or folders, in order.
    List<Path> dataFiles();

    /// Plain text, trained on as it stands.
    @Component(value = "text_completion_dataset", doc = "plain text, every token of which is learnt")
    record TextCompletion(
            @Key("local .txt, .json or .jsonl files, or folders of them (nothing is fetched from a hub)")
            List<Path> dataFiles,

            @Key(value = "what the files hold, where their names do not say it", otherwise = "null") @Nullable
            SourceFormat source,

            @Key(value = "which rows: `train`, `train[:95%]`, `train[100:200]`", otherwise = "train")
            Split split,

            @Key(value = "the field of a JSON row that holds the text", otherwise = "text")
            String column,

            @Key(value = "whether each text ends with the end-of-text token", otherwise = "true")
            boolean addEos,

            @Key(value = "whether samples are joined to rows of exactly max_seq_len tokens", otherwise = "false")
            boolean packed,

            @Key(
                    value =
                            "whether a text that does not fit into a packed row goes on in the next, instead of starting there",
                    otherwise = "true")
            boolean splitAcrossPack)
            implements DatasetConfig {
        public TextCompletion {
            requireFiles(dataFiles);
        }
    }

    /// Pairs of a prompt and an answer.
    @Component(value = "instruct_dataset", doc = "pairs of an input and an output, as a conversation of two messages")
    record Instruct(
            @Key("local .json or .jsonl files, or folders of them (nothing is fetched from a hub)")
            List<Path> dataFiles,

            @Key(value = "what the files hold, where their names do not say it", otherwise = "null") @Nullable
            SourceFormat source,

            @Key(value = "which rows: `train`, `train[:95%]`, `train[100:200]`", otherwise = "train")
            Split split,

            @Key(value = "the fields' names: `{input: question, output: answer}`", otherwise = "{}")
            Map<String, String> columnMap,

            @Key(value = "whether the prompt is learnt too", otherwise = "false")
            boolean trainOnInput,

            @Key(value = "a system message before each conversation", otherwise = "null") @Nullable
            String newSystemPrompt,

            @Key(value = "whether samples are joined to rows of exactly max_seq_len tokens", otherwise = "false")
            boolean packed)
            implements DatasetConfig {
        public Instruct {
            requireFiles(dataFiles);
            requireColumns(columnMap, Set.of("input", "output"));
        }
    }

    /// Rows in Alpaca's format.
    @Component(
            value = {"alpaca_dataset", "alpaca_cleaned_dataset"},
            doc = "rows of instruction, input and output, with Alpaca's prompt around them")
    record Alpaca(
            @Key("local .json or .jsonl files, or folders of them (nothing is fetched from a hub)")
            List<Path> dataFiles,

            @Key(value = "what the files hold, where their names do not say it", otherwise = "null") @Nullable
            SourceFormat source,

            @Key(value = "which rows: `train`, `train[:95%]`, `train[100:200]`", otherwise = "train")
            Split split,

            @Key(value = "the fields' names: `{instruction: …, input: …, output: …}`", otherwise = "{}")
            Map<String, String> columnMap,

            @Key(value = "whether the prompt is learnt too", otherwise = "true")
            boolean trainOnInput,

            @Key(value = "whether samples are joined to rows of exactly max_seq_len tokens", otherwise = "false")
            boolean packed)
            implements DatasetConfig {
        public Alpaca {
            requireFiles(dataFiles);
            requireColumns(columnMap, Set.of("instruction", "input", "output"));
        }
    }

    /// Whole conversations.
    @Component(value = "chat_dataset", doc = "conversations of any number of messages")
    record Chat(
            @Key("local .json or .jsonl files, or folders of them (nothing is fetched from a hub)")
            List<Path> dataFiles,

            @Key(value = "what the files hold, where their names do not say it", otherwise = "null") @Nullable
            SourceFormat source,

            @Key(value = "which rows: `train`, `train[:95%]`, `train[100:200]`", otherwise = "train")
            Split split,

            @Key(value = "the field that holds the list of messages", otherwise = "messages")
            String conversationColumn,

            @Key(value = "`openai` (role, content) or `sharegpt` (from, value)", otherwise = "openai")
            ConversationStyle conversationStyle,

            @Key(value = "whether what the user says is learnt too", otherwise = "false")
            boolean trainOnInput,

            @Key(value = "a system message in place of each conversation's own", otherwise = "null") @Nullable
            String newSystemPrompt,

            @Key(value = "whether samples are joined to rows of exactly max_seq_len tokens", otherwise = "false")
            boolean packed)
            implements DatasetConfig {
        public Chat {
            requireFiles(dataFiles);
        }
    }

    /// Token ids, prepared elsewhere.
    @Component(
            value = "tokenized_dataset",
            doc = "rows of `input_ids` and, if not every token is learnt, `labels` (-100: not learnt)")
    record Tokenized(
            @Key("local .jsonl files, one sample a line") List<Path> dataFiles,

            @Key(value = "which rows: `train`, `train[:95%]`, `train[100:200]`", otherwise = "train")
            Split split,

            @Key(value = "whether samples are joined to rows of exactly max_seq_len tokens", otherwise = "false")
            boolean packed)
            implements DatasetConfig {
        public Tokenized {
            requireFiles(dataFiles);
        }
    }

    private static void requireFiles(List<Path> files) {
        if (files.isEmpty()) {
            throw new InputException("data_files: the list is empty. Name at least one file.");
        }
    }

    private static void requireColumns(Map<String, String> columnMap, Set<String> known) {
        for (String column : columnMap.keySet()) {
            if (!known.contains(column)) {
                throw new InputException("column_map: '%s' is not one of its columns. Map %s to your fields' names."
                        .formatted(
                                column,
                                String.join(", ", known.stream().sorted().toList())));
            }
        }
    }
}
