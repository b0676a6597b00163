package dev.halftone.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.config.schema.ConversationStyle;
import dev.halftone.config.schema.DatasetConfig;
import dev.halftone.config.schema.SourceFormat;
import dev.halftone.config.schema.Split;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DatasetsTest {
    private static final int VOCAB = 640;
    private static final Split ALL = Split.parse("train");

    @TempDir
    private Path folder;

    private Path model = Path.of("");

    @BeforeEach
    void modelFolder() throws IOException {
        model = Files.createDirectory(folder.resolve("model"));
        Files.copy(Golden.path("tokenizer/bytelevel_gpt2").resolve("tokenizer.json"), model.resolve("tokenizer.json"));
        Files.writeString(model.resolve("tokenizer_config.json"), "{\"eos_token\": \"<|endoftext|>\"}");
    }

    private Path write(String name, String content) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        return Files.writeString(file, content);
    }

    private static DatasetConfig texts(boolean packed, Path... files) {
        return new DatasetConfig.TextCompletion(List.of(files), null, ALL, "text", true, packed, true);
    }

    private static DatasetConfig tokenized(Path... files) {
        return new DatasetConfig.Tokenized(List.of(files), ALL, false);
    }

    private Dataset build(DatasetConfig config, @Nullable Integer maxSeqLen) {
        return Datasets.build(config, model, maxSeqLen, VOCAB);
    }

    private List<String> decoded(Dataset dataset) {
        List<String> texts = new ArrayList<>();
        try (Tokenizer tokenizer = Tokenizers.load(model)) {
            for (int i = 0; i < dataset.size(); i++) {
                texts.add(tokenizer.decode(dataset.get(i).inputIds(), false));
            }
        }
        return texts;
    }

    @Test
    void aTextFileIsOneDocumentAndALineOfJsonlAnother() throws IOException {
        Path txt = write("a.txt", "One.\nTwo.\n");
        Path jsonl = write("b.jsonl", "{\"text\": \"Three.\"}\n\n{\"text\": \"Four.\", \"x\": 1}\n");
        Dataset dataset = build(texts(false, txt, jsonl), null);
        assertThat(decoded(dataset))
                .containsExactly("One.\nTwo.\n<|endoftext|>", "Three.<|endoftext|>", "Four.<|endoftext|>");
        assertThat(dataset.get(0).labels()).isEqualTo(dataset.get(0).inputIds());
    }

    @Test
    void foldersAndGlobsGiveTheirFilesByName() throws IOException {
        write("data/b.txt", "B");
        write("data/a.jsonl", "{\"text\": \"A\"}");
        write("data/sub/c.json", "[{\"text\": \"C\"}]");
        write("data/.hidden.txt", "H");
        write("data/README.md", "not data");
        assertThat(decoded(build(texts(false, folder.resolve("data")), null)))
                .containsExactly("A<|endoftext|>", "B<|endoftext|>", "C<|endoftext|>");
        assertThat(decoded(build(texts(false, folder.resolve("data/*.txt")), null)))
                .containsExactly("B<|endoftext|>");
        assertThat(decoded(build(texts(false, folder.resolve("data/**.{txt,json}")), null)))
                .containsExactly("B<|endoftext|>", "C<|endoftext|>");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "[{\"text\": \"A\"}, {\"text\": \"B\"}]",
                "{\"data\": [{\"text\": \"A\"}, {\"text\": \"B\"}], \"version\": 1}",
                "{\"text\": \"A\"}\n{\"text\": \"B\"}",
                "  [\n {\"text\": \"A\"},\n {\"text\": \"B\"}\n]\n"
            })
    void jsonMayBeAListAnObjectWithOneOrSamplesInARow(String json) throws IOException {
        assertThat(decoded(build(texts(false, write("a.json", json)), null)))
                .containsExactly("A<|endoftext|>", "B<|endoftext|>");
    }

    @Test
    void theSourceSaysWhatANameDoesNot() throws IOException {
        Path file = write("corpus.dat", "Text.");
        DatasetConfig config =
                new DatasetConfig.TextCompletion(List.of(file), SourceFormat.TEXT, ALL, "text", false, false, true);
        assertThat(decoded(build(config, null))).containsExactly("Text.");
        assertThatThrownBy(() -> build(texts(false, file), null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("corpus.dat")
                .hasMessageContaining("source");
    }

    @Test
    void aSplitTakesSomeOfTheRows() throws IOException {
        Path file = write("a.jsonl", "{\"text\": \"A\"}\n{\"text\": \"B\"}\n{\"text\": \"C\"}\n");
        DatasetConfig config = new DatasetConfig.TextCompletion(
                List.of(file), null, Split.parse("train[1:]"), "text", true, false, true);
        assertThat(decoded(build(config, null))).containsExactly("B<|endoftext|>", "C<|endoftext|>");
        DatasetConfig none = new DatasetConfig.TextCompletion(
                List.of(file), null, Split.parse("train[3:]"), "text", false, false, true);
        assertThatThrownBy(() -> build(none, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("train[3:]");
    }

    @Test
    void longTextsAreCutOrIfPackedGoOn() throws IOException {
        Path file = write("a.txt", "The quick brown fox jumps over the lazy dog, again and again. ".repeat(20));
        Dataset cut = build(texts(false, file), 16);
        assertThat(cut.size()).isEqualTo(1);
        assertThat(cut.get(0).length()).isEqualTo(16);
        Dataset packed = build(texts(true, file), 16);
        assertThat(String.join("", decoded(packed))).startsWith(Files.readString(file) + "<|endoftext|>");
        for (int i = 0; i < packed.size(); i++) {
            assertThat(packed.get(i).length()).isEqualTo(16);
        }
        assertThatThrownBy(() -> build(texts(true, file), null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("max_seq_len");
    }

    @Test
    void instructionsAreMaskedUnlessTheyAreTrainedOn() throws IOException {
        Path file = write("a.jsonl", "{\"instruction\": \"Add.\", \"input\": \"1 2\", \"output\": \"3\"}");
        DatasetConfig masked = new DatasetConfig.Alpaca(List.of(file), null, ALL, Map.of(), false, false);
        DatasetConfig learnt = new DatasetConfig.Alpaca(List.of(file), null, ALL, Map.of(), true, false);
        String text = decoded(build(masked, null)).getFirst();
        assertThat(text).endsWith("### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n3<|endoftext|>");
        assertThat(learntCount(build(masked, null).get(0))).isEqualTo(2);
        Sample all = build(learnt, null).get(0);
        assertThat(all.labels()).isEqualTo(all.inputIds());
    }

    private static long learntCount(Sample sample) {
        return Arrays.stream(sample.labels()).filter(l -> l != Sample.IGNORED).count();
    }

    @Test
    void chatsGoThroughTheModelsTemplateWithTheirTools() throws IOException {
        Files.writeString(
                model.resolve("chat_template.jinja"),
                "{% if tools %}[{{ tools[0].name }}]{% endif %}"
                        + "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
                        + "{% if add_generation_prompt %}<assistant>{% endif %}");
        Path openAi = write(
                "a.jsonl",
                "{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}, {\"role\": \"assistant\", \"content\": \"Ho\"}],"
                        + " \"tools\": [{\"name\": \"f\"}]}");
        DatasetConfig config = new DatasetConfig.Chat(
                List.of(openAi), null, ALL, "messages", ConversationStyle.OPENAI, false, "Sys", false);
        assertThat(decoded(build(config, null))).containsExactly("[f]<system>Sys<user>Hi<assistant>Ho");
        Path shareGpt = write(
                "b.json",
                "[{\"conversations\": [{\"from\": \"human\", \"value\": \"Hi\"}, {\"from\": \"gpt\", \"value\": \"Ho\"}]}]");
        DatasetConfig other = new DatasetConfig.Chat(
                List.of(shareGpt), null, ALL, "conversations", ConversationStyle.SHAREGPT, false, null, true);
        Dataset packed = build(other, 64);
        assertThat(packed.size()).isEqualTo(1);
        assertThat(packed.get(0).length()).isEqualTo(64);
    }

    @Test
    void tokenizedLinesAreTakenAsTheyAreWithoutATokenizer() throws IOException {
        Files.delete(model.resolve("tokenizer.json"));
        Path file = write(
                "a.jsonl",
                "{\"input_ids\": [5, 6, 7]}\n{\"input_ids\": [8, 9], \"labels\": [-100, 9]}\n{\"input_ids\": [1, 2, 3, 4]}\n");
        Dataset dataset = build(tokenized(file), null);
        assertThat(dataset.size()).isEqualTo(3);
        assertThat(dataset.get(0).labels()).containsExactly(5, 6, 7);
        assertThat(dataset.get(1).labels()).containsExactly(-100, 9);
        assertThat(build(tokenized(file), 3).get(2).inputIds()).containsExactly(1, 2, 3);
        Batch batch = new BatchLoader(dataset, 3, false, 1, true).batch(0, 0);
        assertThat(batch.labels()).containsExactly(5, 6, 7, -100, -100, 9, -100, -100, 1, 2, 3, 4);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"input_ids\": [1, 640]}              | line 2: 'input_ids' holds the id 640",
                "{\"input_ids\": [1, -100]}             | line 2: 'input_ids' holds the id -100",
                "{\"input_ids\": [1, 2.5]}              | line 2: 'input_ids' holds 2.5, which is not a token id",
                "{\"input_ids\": [1, 9999999999]}       | line 2: 'input_ids' holds 9999999999",
                "{\"input_ids\": [1], \"labels\": []}   | line 2: 0 'labels' for 1 'input_ids'",
                "{\"input_ids\": [1], \"labels\": [-1]} | line 2: 'labels' holds the id -1",
                "{\"input_ids\": []}                    | line 2: 'input_ids' is empty",
                "{\"input_ids\": 5}                     | line 2: the column 'input_ids' is not a list",
                "{\"ids\": [1]}                         | line 2: there is no column 'input_ids' (there are: ids)",
                "{\"input_ids\": [1]                    | line 2: malformed JSON",
                "[1, 2]                                 | line 2: a sample is not a JSON object",
                "{\"input_ids\": [1]} {}                | line 2: malformed JSON"
            })
    void badLinesNameFileAndLine(String line, String message) throws IOException {
        Path file = write("bad.jsonl", "{\"input_ids\": [1, 2]}\n" + line + "\n");
        assertThatThrownBy(() -> build(tokenized(file), null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("bad.jsonl, " + message);
    }

    @Test
    void badTextDataNamesItsPlace() throws IOException {
        assertFails(texts(false, folder.resolve("absent.txt")), "absent.txt does not exist");
        assertFails(texts(false, folder.resolve("*.parquet")), "matches no file");
        assertFails(
                texts(false, Files.createDirectory(folder.resolve("empty"))), "holds no .txt, .json or .jsonl file");
        assertFails(texts(false, write("empty.txt", "")), "empty.txt is empty");
        assertFails(texts(false, write("empty.jsonl", "\n \n")), "empty.jsonl is empty");
        assertFails(texts(false, write("empty.json", "[]")), "empty.json is empty");
        assertFails(
                texts(false, write("other.jsonl", "{\"body\": \"x\"}")),
                "other.jsonl, line 1: there is no column 'text'");
        assertFails(
                texts(false, write("number.jsonl", "{\"text\": 5}")),
                "number.jsonl, line 1: the column 'text' is not text");
        assertFails(
                texts(false, write("broken.json", "[{\"text\": \"a\"},\n {\"text\": }]")),
                "broken.json, line 2: malformed JSON");
        assertFails(
                texts(false, write("row.json", "[{\"text\": \"a\"},\n 7]")),
                "row.json, line 2: a sample is not a JSON object");
        Path latin = folder.resolve("latin.txt");
        Files.write(latin, "é".getBytes(StandardCharsets.ISO_8859_1));
        assertFails(texts(false, latin), "latin.txt is not UTF-8");
        Path latinLines = folder.resolve("latin.jsonl");
        Files.write(latinLines, "{\"text\": \"é\"}".getBytes(StandardCharsets.ISO_8859_1));
        assertFails(texts(false, latinLines), "latin.jsonl is not UTF-8");
    }

    private void assertFails(DatasetConfig config, String message) {
        assertThatThrownBy(() -> build(config, null))
                .isInstanceOf(InputException.class)
                .hasMessageContaining(message);
    }

    @Test
    void aTokenizerOfAnotherModelIsNoticed() throws IOException {
        Path file = write("a.txt", "Some words of text.");
        assertThatThrownBy(() -> Datasets.build(texts(false, file), model, null, 100))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("the model's vocabulary has 100 entries");
    }

    @Test
    void endingTextsNeedsATokenForIt() throws IOException {
        Files.delete(model.resolve("tokenizer_config.json"));
        assertFails(texts(false, write("a.txt", "A")), "no end-of-sequence token");
    }

    @Test
    void dataWithNothingToLearnIsRefused() throws IOException {
        assertFails(
                tokenized(write("a.jsonl", "{\"input_ids\": [1, 2], \"labels\": [1, -100]}")), "no sample of the data");
    }

    @Test
    void theFingerprintTellsDataApart() throws IOException {
        Path a = write("a.jsonl", "{\"input_ids\": [1, 2]}\n{\"input_ids\": [3, 4]}\n");
        Path b = write("b.jsonl", "{\"input_ids\": [1, 2], \"labels\": [-100, 2]}\n{\"input_ids\": [3, 4]}\n");
        assertThat(build(tokenized(a), null).fingerprint())
                .isEqualTo(build(tokenized(a), null).fingerprint())
                .hasSize(64)
                .isNotEqualTo(build(tokenized(b), null).fingerprint());
        assertThat(Dataset.of(List.of(new Sample(new int[] {1, 2, 3}))).fingerprint())
                .isNotEqualTo(Dataset.of(
                                List.of(new Sample(new int[] {1, 2, 3}, new int[] {1, 2, 3}, new int[] {1, 2})))
                        .fingerprint());
    }
}
