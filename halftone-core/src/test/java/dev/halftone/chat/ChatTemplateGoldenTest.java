package dev.halftone.chat;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import dev.halftone.chat.jinja.Template.Rendered;
import dev.halftone.tokenizer.SpecialTokens;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// 17 templates times 6 conversations, against transformers.
class ChatTemplateGoldenTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final JsonNode GOLDEN = JSON.readTree(Golden.path("chat").resolve("chat.json"));

    static Stream<Arguments> cases() {
        return GOLDEN.get("cases")
                .valueStream()
                .map(c -> Arguments.of(
                        c.get("template").asString(),
                        c.get("conversation").asString(),
                        c.get("add_generation_prompt").asBoolean(),
                        c));
    }

    @ParameterizedTest(name = "{0}, {1}, generation prompt {2}")
    @MethodSource("cases")
    void rendersAsTransformers(String name, String conversation, boolean addGenerationPrompt, JsonNode golden) {
        JsonNode source = GOLDEN.get("templates").get(name);
        ChatTemplate template = ChatTemplate.of(
                source.get("source").asString(),
                new SpecialTokens(Map.of(
                        "bos_token", source.get("bos").asString(),
                        "eos_token", source.get("eos").asString())));
        List<Message> messages = messages(conversation);
        Map<String, Object> extras = new HashMap<>();
        golden.get("extra")
                .properties()
                .forEach(e -> extras.put(e.getKey(), JSON.treeToValue(e.getValue(), Object.class)));
        if (golden.get("tools").asBoolean()) {
            extras.put("tools", JSON.treeToValue(GOLDEN.get("tools"), Object.class));
        }
        if (golden.has("error")) {
            assertThatThrownBy(() -> template.render(messages, addGenerationPrompt, extras))
                    .isInstanceOf(InputException.class)
                    .hasMessageContaining(golden.get("error").asString())
                    .hasMessageMatching("the chat template, line \\d+, column \\d+: (.|\\n)*");
            return;
        }
        Rendered rendered = template.renderWithSpans(messages, addGenerationPrompt, extras);
        assertThat(rendered.text()).isEqualTo(golden.get("expected").asString());
        assertThat(template.marksGeneration()).isEqualTo(golden.has("generation_spans"));
        if (golden.has("generation_spans")) {
            List<List<Integer>> spans = new ArrayList<>();
            rendered.generated()
                    .forEach(span -> spans.add(List.of(
                            rendered.text().codePointCount(0, span.start()),
                            rendered.text().codePointCount(0, span.end()))));
            assertThat(spans).isEqualTo(JSON.treeToValue(golden.get("generation_spans"), List.class));
        }
    }

    static List<Message> messages(String conversation) {
        return GOLDEN.get("conversations")
                .get(conversation)
                .valueStream()
                .map(Message::fromJson)
                .toList();
    }

    static Stream<Arguments> modelCases() {
        return GOLDEN.get("model_template")
                .get("cases")
                .valueStream()
                .map(c -> Arguments.of(c.get("conversation").asString(), c));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("modelCases")
    void smolLm2TemplateRendersAsTransformers(String conversation, JsonNode golden) {
        ChatTemplate template =
                ChatTemplate.of(GOLDEN.get("model_template").get("source").asString(), new SpecialTokens(Map.of()));
        assertThat(template.render(
                        messages(conversation),
                        golden.get("add_generation_prompt").asBoolean(),
                        Map.of()))
                .isEqualTo(golden.get("expected").asString());
    }
}
