package dev.halftone.chat.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TemplateTest {
    private static final Clock CLOCK = Clock.fixed(Instant.parse("2026-03-07T14:05:09.012345Z"), ZoneOffset.UTC);

    private static String render(String source) {
        return Template.parse(source, "t.jinja").render(Map.of(), CLOCK).text();
    }

    @Test
    void errorsNameLineAndColumn() {
        assertThatThrownBy(() -> render("a\nb {{ 1 +\n   missing.x }}"))
                .isInstanceOf(InputException.class)
                .hasMessage("t.jinja, line 3, column 11: 'missing' is undefined. Change the messages or the template.");
        assertThatThrownBy(() -> render("\n{% if x %}\n{% endfor %}"))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("t.jinja, line 3, column 4: unknown tag 'endfor'");
        assertThatThrownBy(() -> render("{% for x in [1] %}\n  {{ x | shout }}\n{% endfor %}"))
                .hasMessageStartingWith("t.jinja, line 2, column 10: No filter named 'shout'.");
        assertThatThrownBy(() -> render("{% if a %}text"))
                .hasMessageContaining("the template ends where one of [elif, else, endif] is missing");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
                "{% for a in range(100000) %}{% set b = range(100000) | list %}{% endfor %}",
                "{% for a in range(100000) %}{% set b = range(100000) | map('string') | list %}{% endfor %}",
                "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
                "{% macro m(n) %}{{ m(n + 1) ~ m(n + 1) }}{% endmacro %}{{ m(0) }}",
                "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
                "{% set ns = namespace(s='ab') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
                "{% set s = 'x' * 10000 %}{{ s | replace('x', s) | replace('x', s) }}",
                "{% for i in range(100000) %}{{ 'x' * 100000 }}{% endfor %}",
                "{{ 'x' * 10 ** 15 }}",
                "{{ [1] * 10 ** 15 }}",
                "{{ 'x'.ljust(10 ** 12) }}",
                "{{ '%99999999d' % 1 }}",
                "{{ 10 ** 10 ** 10 }}",
                "{{ range(10 ** 18) }}",
                "{% for x in [[]] recursive %}{{ loop([x]) }}{% endfor %}"
            })
    @Timeout(value = 20, unit = TimeUnit.SECONDS)
    void runawayTemplatesAreStopped(String source) {
        assertThatThrownBy(() -> render(source))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("t.jinja");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{{ %s1%s }}", "{%% if 1 %%}%s{{ 1 }}%s{%% endif %%}"})
    void deeplyNestedTemplatesAreRefused(String frame) {
        String open = frame.startsWith("{{") ? "(".repeat(100_000) : "{% if 1 %}".repeat(100_000);
        String close = frame.startsWith("{{") ? ")".repeat(100_000) : "{% endif %}".repeat(100_000);
        assertThatThrownBy(() -> render(frame.formatted(open, close)))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith("t.jinja");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "%d %b %Y; 07 Mar 2026",
                "%B %-d, %Y; March 7, 2026",
                "%Y-%m-%dT%H:%M:%S.%f; 2026-03-07T14:05:09.012345",
                "%A %a %I:%M %p %j %y %e; Saturday Sat 02:05 PM 066 26  7",
                "%F %T %D %R %u %w %%; 2026-03-07 14:05:09 03/07/26 14:05 6 6 %",
                "%c|%x|%X; Sat Mar  7 14:05:09 2026|03/07/26|14:05:09"
            })
    void strftimeMatchesPython(String format, String expected) {
        assertThat(render("{{ strftime_now('" + format + "') }}")).isEqualTo(expected);
    }

    @Test
    void javaValuesBecomePythons() {
        Map<String, Object> variables = Map.of(
                "i", 7, "l", 8L, "f", 1.5f, "list", Arrays.asList(1, null, "x"), "map", Map.of("k", List.of(true)));
        assertThat(Template.parse("{{ i }} {{ l }} {{ f }} {{ list }} {{ map }}", "t")
                        .render(variables, CLOCK)
                        .text())
                .isEqualTo("7 8 1.5 [1, None, 'x'] {'k': [True]}");
    }

    @Test
    void generationSpansAreInTheOrderOfTheText() {
        Template.Rendered rendered = Template.parse(
                        "{% for x in [1, 2] %}q{{ x }}{% generation %}a{{ x }}😀{% endgeneration %}{% endfor %}", "t")
                .render(Map.of(), CLOCK);
        assertThat(rendered.text()).isEqualTo("q1a1😀q2a2😀");
        assertThat(rendered.generated()).containsExactly(new Template.Span(2, 6), new Template.Span(8, 12));
    }

    @Test
    void aTemplateKeepsNothingFromOneRenderingToTheNext() {
        Template template = Template.parse("{% set ns = namespace(n=1) %}{{ ns.n }}{% set ns.n = 2 %}{{ x }}", "t");
        assertThat(template.render(Map.of("x", "a"), CLOCK).text()).isEqualTo("1a");
        assertThat(template.render(Map.of(), CLOCK).text()).isEqualTo("1");
    }
}
