package dev.halftone.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import dev.halftone.tokenizer.SpecialTokens;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.json.JsonMapper;

class ChatTemplateTest {
    private static final List<Message> HI = List.of(new Message("user", "Hi"));

    @TempDir
    private Path folder;

    @Test
    void theJinjaFileComesFirst() throws IOException {
        write("chat_template.jinja", "file {{ eos_token }}");
        write("tokenizer_config.json", "{\"chat_template\": \"config\", \"eos_token\": \"</s>\"}");
        assertThat(ChatTemplate.load(folder).orElseThrow().render(HI, false, Map.of()))
                .isEqualTo("file </s>");
    }

    @Test
    void theConfigurationMayHoldOneTemplateOrNamedOnes() throws IOException {
        write("tokenizer_config.json", "{\"chat_template\": \"one {{ messages[0].content }}\"}");
        assertThat(ChatTemplate.load(folder).orElseThrow().render(HI, false, Map.of()))
                .isEqualTo("one Hi");
        write(
                "tokenizer_config.json",
                "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"d\"}]}");
        assertThat(ChatTemplate.load(folder).orElseThrow().render(HI, false, Map.of()))
                .isEqualTo("d");
        write("tokenizer_config.json", "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"r\"}]}");
        assertThatThrownBy(() -> ChatTemplate.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("none is named 'default'");
    }

    @Test
    void baseModelsHaveNone() throws IOException {
        assertThat(ChatTemplate.load(folder)).isEmpty();
        write("tokenizer_config.json", "{\"chat_template\": null}");
        assertThat(ChatTemplate.load(folder)).isEmpty();
    }

    @Test
    void aBrokenTemplateNamesItsFile() throws IOException {
        write("chat_template.jinja", "a\n{% if %}");
        assertThatThrownBy(() -> ChatTemplate.load(folder))
                .isInstanceOf(InputException.class)
                .hasMessageContaining("chat_template.jinja, line 2, column ");
        Files.write(folder.resolve("chat_template.jinja"), new byte[] {(byte) 0xC3, 0x28});
        assertThatThrownBy(() -> ChatTemplate.load(folder)).hasMessageContaining("UTF-8");
    }

    @Test
    void reasoningIsThereUnderEachName() {
        ChatTemplate template = ChatTemplate.of(
                "{{ messages[0].reasoning_content }}/{{ messages[0].thinking }}", new SpecialTokens(Map.of()));
        assertThat(template.render(List.of(new Message("assistant", "x", Map.of("reasoning", "r"))), false, Map.of()))
                .isEqualTo("r/r");
    }

    @Test
    void messagesAreReadFromJson() {
        Message call =
                message("{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": 1}], \"name\": null}");
        assertThat(call.content()).isNull();
        assertThat(call.callsTools()).isTrue();
        assertThat(call.fields()).containsOnlyKeys("role", "tool_calls");
        assertThat(message("{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"a\"}]}")
                        .content())
                .isEqualTo(List.of(Map.of("type", "text", "text", "a")));
        assertThatThrownBy(() -> message("{\"content\": \"x\"}")).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> message("{\"role\": \"user\", \"content\": 5}"))
                .isInstanceOf(InputException.class);
    }

    private static Message message(String json) {
        return Message.fromJson(JsonMapper.shared().readTree(json));
    }

    private void write(String name, String content) throws IOException {
        Files.writeString(folder.resolve(name), content);
    }
}
