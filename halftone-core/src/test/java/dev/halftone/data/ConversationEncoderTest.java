package dev.halftone.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.chat.ChatTemplate;
import dev.halftone.chat.Message;
import dev.halftone.tokenizer.SpecialTokens;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ConversationEncoderTest {
    private static final JsonNode CHAT =
            JsonMapper.shared().readTree(Golden.path("chat").resolve("chat.json"));
    private static final Tokenizer TOKENIZER = Tokenizers.load(Golden.path("tokenizer/bytelevel_gpt2"));
    private static final List<Message> TWO_TURNS = List.of(
            new Message("user", "Capital of France?"),
            new Message("assistant", "Paris."),
            new Message("user", "And of Japan?"),
            new Message("assistant", "Tokyo."));

    @AfterAll
    static void close() {
        TOKENIZER.close();
    }

    private static ChatTemplate template(String name) {
        JsonNode t = CHAT.get("templates").get(name);
        return ChatTemplate.of(
                t.get("source").asString(),
                new SpecialTokens(Map.of(
                        "bos_token",
                        t.get("bos").asString(),
                        "eos_token",
                        t.get("eos").asString())));
    }

    /// The texts of the runs of tokens that are learnt.
    private static List<String> learnt(Sample sample) {
        List<String> texts = new ArrayList<>();
        int start = -1;
        for (int i = 0; i <= sample.length(); i++) {
            boolean on = i < sample.length() && sample.labels()[i] != Sample.IGNORED;
            if (on) {
                assertThat(sample.labels()[i]).isEqualTo(sample.inputIds()[i]);
            }
            if (on && start < 0) {
                start = i;
            } else if (!on && start >= 0) {
                texts.add(TOKENIZER.decode(Arrays.copyOfRange(sample.inputIds(), start, i), false));
                start = -1;
            }
        }
        return texts;
    }

    @Test
    void generationBlocksGiveTheMasksOfTransformers() {
        Path folder = Path.of(System.getProperty("halftone.root"), "models", "SmolLM2-135M-Instruct");
        assumeTrue(Files.exists(folder.resolve("tokenizer.json")), "the real model is not in models/");
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            ConversationEncoder encoder =
                    new ConversationEncoder(tokenizer, Optional.of(template("chatml_generation")));
            for (JsonNode golden : CHAT.get("assistant_token_masks").get("cases")) {
                List<Message> messages = CHAT.get("conversations")
                        .get(golden.get("conversation").asString())
                        .valueStream()
                        .map(Message::fromJson)
                        .toList();
                Sample sample = encoder.encode(messages, Map.of(), false);
                assertThat(sample.inputIds()).isEqualTo(PackingTest.ints(golden.get("input_ids")));
                int[] mask = Arrays.stream(sample.labels())
                        .map(label -> label == Sample.IGNORED ? 0 : 1)
                        .toArray();
                assertThat(mask).isEqualTo(PackingTest.ints(golden.get("assistant_mask")));
            }
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "alpaca            | `Paris.</s>`                   | `Tokyo.</s>`",
                "chatml            | `Paris.<@im_end@>\\n`          | `Tokyo.<@im_end@>\\n`",
                "chatml_generation | `Paris.<@im_end@>`             | `Tokyo.<@im_end@>`",
                "deepseek          | `Paris.<｜end▁of▁sentence｜>`  | `Tokyo.<｜end▁of▁sentence｜>`",
                "gemma             | `Paris.<end_of_turn>\\n`       | `Tokyo.<end_of_turn>\\n`",
                "gemma3            | `Paris.<end_of_turn>\\n`       | `Tokyo.<end_of_turn>\\n`",
                "llama2            | ` Paris. </s>`                 | ` Tokyo. </s>`",
                "llama3            | `Paris.<@eot_id@>`             | `Tokyo.<@eot_id@>`",
                "llama3_tools      | `Paris.<@eot_id@>`             | `Tokyo.<@eot_id@>`",
                "mistral           | `Paris.</s> `                  | `Tokyo.</s> `",
                "mistral_tools     | ` Paris.</s>`                  | ` Tokyo.</s>`",
                "phi3              | `Paris.<@end@>\\n`             | `Tokyo.<@end@>\\n<@endoftext@>`",
                "qwen2_5           | `Paris.<@im_end@>\\n`          | `Tokyo.<@im_end@>\\n`",
                "qwen3             | `Paris.<@im_end@>\\n`          | `<think>\\n\\n</think>\\n\\nTokyo.<@im_end@>\\n`",
                "zephyr            | `Paris.</s>\\n`                | `Tokyo.</s>\\n`"
            })
    void theAssistantsTurnsAreLearntWithWhatEndsThem(String name, String first, String last) {
        ConversationEncoder encoder = new ConversationEncoder(TOKENIZER, Optional.of(template(name)));
        assertThat(learnt(encoder.encode(TWO_TURNS, Map.of(), false))).containsExactly(written(first), written(last));
    }

    /// `@` stands for `|`, which separates the columns.
    private static String written(String text) {
        return text.replace("\\n", "\n").replace('@', '|');
    }

    @ParameterizedTest
    @CsvSource({"features", "mistral_tools"})
    void templatesThatRewriteEarlierTurnsAreRefused(String name) {
        List<Message> messages = new ArrayList<>(TWO_TURNS);
        messages.addFirst(new Message("system", "Be terse."));
        ConversationEncoder encoder = new ConversationEncoder(TOKENIZER, Optional.of(template(name)));
        assertThatThrownBy(() -> encoder.encode(messages, Map.of(), false))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("rewrites earlier turns")
                .hasMessageContaining("{% generation %}");
    }

    @Test
    void trainOnInputLearnsAllButTheSystemMessage() {
        List<Message> messages =
                List.of(new Message("system", "Be terse."), new Message("user", "Hi"), new Message("assistant", "Ho"));
        ConversationEncoder encoder = new ConversationEncoder(TOKENIZER, Optional.of(template("chatml")));
        assertThat(learnt(encoder.encode(messages, Map.of(), true)))
                .containsExactly("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n");
        assertThat(learnt(encoder.encode(messages.subList(1, 3), Map.of(), true)))
                .containsExactly("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHo<|im_end|>\n");
    }

    @Test
    void withoutATemplateTheAnswerEndsInTheEndOfSequenceToken(@TempDir Path folder) throws IOException {
        Files.copy(
                Golden.path("tokenizer/metaspace_fallback").resolve("tokenizer.json"),
                folder.resolve("tokenizer.json"));
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"eos_token\": \"</s>\", \"bos_token\": \"<s>\"}");
        try (Tokenizer tokenizer = Tokenizers.load(folder)) {
            Sample sample = new ConversationEncoder(tokenizer, Optional.empty())
                    .encode(
                            List.of(new Message("user", "Say hi.\n"), new Message("assistant", "hi 😀")),
                            Map.of(),
                            false);
            assertThat(tokenizer.decode(sample.inputIds(), false)).isEqualTo("<s> Say hi.\nhi 😀</s>");
            int[] learnt = Arrays.stream(sample.labels())
                    .filter(label -> label != Sample.IGNORED)
                    .toArray();
            assertThat(tokenizer.decode(learnt, false)).isEqualTo("hi 😀</s>");
        }
    }

    @Test
    void anAnswerThatEndsInACharacterOfSeveralTokensIsLearntWhole() {
        ChatTemplate template = ChatTemplate.of(
                "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}"
                        + "{% else %}{{ m.content }}{% endif %}{% endfor %}",
                new SpecialTokens(Map.of()));
        Sample sample = new ConversationEncoder(TOKENIZER, Optional.of(template))
                .encode(List.of(new Message("user", "Hi"), new Message("assistant", "日本😀")), Map.of(), false);
        assertThat(learnt(sample)).containsExactly("日本😀");
    }
}
