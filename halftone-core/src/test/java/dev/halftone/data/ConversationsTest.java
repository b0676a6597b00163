package dev.halftone.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.chat.Message;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class ConversationsTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final JsonNode TORCHTUNE = JSON.readTree(Golden.path("data").resolve("torchtune.json"));

    static Stream<Arguments> messages() {
        return TORCHTUNE
                .get("messages")
                .valueStream()
                .map(c -> Arguments.of(c.get("kind").asString(), c));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("messages")
    void rowsBecomeTheMessagesOfTorchtune(String kind, JsonNode golden) {
        Row row = new Row(golden.get("row"), Path.of("data.json"), 1);
        JsonNode prompt = golden.get("system_prompt");
        List<Message> messages = read(kind, row, golden, prompt.isNull() ? null : prompt.asString());
        assertThat(messages)
                .extracting(Message::role)
                .isEqualTo(golden.get("messages")
                        .valueStream()
                        .map(m -> m.get("role").asString())
                        .toList());
        assertThat(messages)
                .extracting(Message::content)
                .isEqualTo(golden.get("messages")
                        .valueStream()
                        .map(m -> (Object) m.get("content").asString())
                        .toList());
    }

    private static List<Message> read(String kind, Row row, JsonNode golden, @Nullable String systemPrompt) {
        Map<String, String> columns = new HashMap<>();
        golden.get("columns")
                .properties()
                .forEach(e -> columns.put(e.getKey(), e.getValue().asString()));
        return switch (kind) {
            case "alpaca" -> Conversations.alpaca(row, columns);
            case "instruct" -> Conversations.instruct(row, columns, systemPrompt);
            case "openai" -> Conversations.openAi(row, "messages", systemPrompt);
            case "sharegpt" -> Conversations.shareGpt(row, "conversations", systemPrompt);
            default -> throw new IllegalArgumentException(kind);
        };
    }

    @Test
    void conversationsAreValidWhereTorchtuneSaysSo() {
        for (JsonNode golden : TORCHTUNE.get("valid")) {
            List<Map<String, String>> messages = golden.get("roles")
                    .valueStream()
                    .map(role -> Map.of("role", role.asString(), "content", "x"))
                    .toList();
            if (golden.get("valid").asBoolean()) {
                assertThat(openAi(messages)).hasSameSizeAs(messages);
            } else {
                assertThatThrownBy(() -> openAi(messages))
                        .as(golden.get("roles").toString())
                        .isInstanceOf(InputException.class)
                        .hasMessageStartingWith("chat.jsonl, line 3: ");
            }
        }
    }

    private static List<Message> openAi(List<?> messages) {
        Row row = new Row(JSON.valueToTree(Map.of("messages", messages)), Path.of("chat.jsonl"), 3);
        return Conversations.openAi(row, "messages", null);
    }

    @Test
    void toolsAnswerTheAssistant() {
        assertThat(openAi(List.of(
                        Map.of("role", "user", "content", "a"),
                        Map.of("role", "assistant", "tool_calls", List.of(Map.of("id", 1))),
                        Map.of("role", "tool", "content", "b"),
                        Map.of("role", "tool", "content", "c"),
                        Map.of("role", "assistant", "content", "d"))))
                .hasSize(5);
        assertThatThrownBy(() ->
                        openAi(List.of(Map.of("role", "user", "content", "a"), Map.of("role", "tool", "content", "b"))))
                .hasMessageContaining("message 2 is from 'tool' and follows one from 'user'");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"conversations\": [{\"from\": \"robot\", \"value\": \"x\"}]}",
                "{\"conversations\": [{\"from\": \"human\"}]}",
                "{\"conversations\": [{\"role\": \"user\", \"content\": \"x\"}]}",
                "{\"conversations\": \"x\"}",
                "{\"messages\": []}"
            })
    void malformedConversationsNameFileAndLine(String json) {
        Row row = new Row(JSON.readTree(json), Path.of("chat.jsonl"), 3);
        assertThatThrownBy(() -> Conversations.shareGpt(row, "conversations", null))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("chat.jsonl, line 3: ");
    }
}
