package dev.halftone.chat.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.Golden;
import dev.halftone.InputException;
import java.time.Clock;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.core.type.TypeReference;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Several hundred small templates, against jinja2 in the environment of transformers.
class SnippetsGoldenTest {
    private static final JsonMapper JSON = JsonMapper.shared();
    private static final JsonNode GOLDEN = JSON.readTree(Golden.path("chat").resolve("snippets.json"));
    private static final Map<String, Object> VARIABLES =
            JSON.convertValue(GOLDEN.get("variables"), new TypeReference<Map<String, Object>>() {});

    static Stream<Arguments> cases() {
        return GOLDEN.get("cases")
                .valueStream()
                .map(c -> Arguments.of(c.get("source").asString(), c));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void rendersAsJinja2(String source, JsonNode golden) {
        if (golden.has("error")) {
            assertThatThrownBy(() -> render(source))
                    .as(golden.get("error").asString())
                    .isInstanceOf(InputException.class)
                    .hasMessageStartingWith("snippet");
        } else {
            assertThat(render(source)).isEqualTo(golden.get("expected").asString());
        }
    }

    private static String render(String source) {
        return Template.parse(source, "snippet")
                .render(VARIABLES, Clock.systemUTC())
                .text();
    }
}
