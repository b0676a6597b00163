package dev.halftone.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import java.util.List;
import org.junit.jupiter.api.Test;

class OverridesTest {
    private static final String FILE = """
            a: 1
            optimizer:
              _component_: torch.optim.AdamW
              lr: 2e-5
              fused: True
            prompt: {system: be brief, user: hello}
            quantizer: null
            tasks: [perplexity]
            """;

    private static String apply(String... overrides) {
        return YamlWriter.write(Config.parse("a.yaml", FILE, List.of(overrides)).tree());
    }

    @Test
    void valuesAreYaml() {
        assertThat(apply("a=[1, x]", "b=2e-5", "tasks=null")).contains("a: [1, x]\n", "b: 2e-5\n", "tasks: null\n");
    }

    @Test
    void noneIsNull() {
        assertThat(apply("a=None")).contains("a: null\n");
    }

    @Test
    void valuesMayContainEquals() {
        assertThat(apply("a=x=y")).contains("a: x=y\n");
    }

    @Test
    void aSentenceWithAColonIsAText() {
        assertThat(apply("a=Gentlemen: I am glad", "b=Q: why? A: so"))
                .contains("a: 'Gentlemen: I am glad'\n", "b: 'Q: why? A: so'\n");
        assertThat(apply("a={b: c}")).contains("a:\n    b: c\n");
        assertThat(apply("a='b: c'")).contains("a: 'b: c'\n");
    }

    @Test
    void parentsAreCreatedEvenWhereNullStood() {
        assertThat(apply("x.y.z=1", "quantizer.groupsize=32"))
                .contains("x:\n    y:\n        z: 1\n", "quantizer:\n    groupsize: 32\n");
    }

    @Test
    void aComponentIsReplacedByItsNameAlone() {
        assertThat(apply("optimizer=torch.optim.SGD"))
                .contains("optimizer:\n    _component_: torch.optim.SGD\n    lr: 2e-5\n    fused: True\n");
    }

    @Test
    void aNewComponentMayBeNamedFirstAndFilledAfter() {
        assertThat(apply("quantizer=Int8Quantizer", "quantizer.groupsize=32"))
                .contains("quantizer:\n    _component_: Int8Quantizer\n    groupsize: 32\n");
    }

    @Test
    void blocksMergeAndComponentBlocksReplace() {
        assertThat(apply("prompt={user: bye}")).contains("prompt:\n    system: be brief\n    user: bye\n");
        assertThat(apply("optimizer={_component_: AdamW, lr: 1}"))
                .contains("optimizer:\n    _component_: AdamW\n    lr: 1\n")
                .doesNotContain("fused");
        assertThat(apply("optimizer=null")).contains("optimizer: null\n");
    }

    @Test
    void tildeRemovesAndEmptyParentsGo() {
        assertThat(apply("~optimizer.fused")).doesNotContain("fused").contains("lr: 2e-5");
        assertThat(apply("~prompt.system", "~prompt.user")).doesNotContain("prompt");
    }

    @Test
    void laterOverridesWin() {
        assertThat(apply("a=2", "a=3")).contains("a: 3\n");
        assertThat(apply("b=2", "~b")).doesNotContain("b:");
    }

    @Test
    void errorsNameTheOverride() {
        assertThatThrownBy(() -> apply("~optimiser"))
                .isInstanceOf(InputException.class)
                .hasMessage("override '~optimiser': there is no key 'optimiser' to remove. Did you mean 'optimizer'?");
        assertThatThrownBy(() -> apply("tasks.0=x"))
                .hasMessageContaining("'tasks' is a list. Set it as a whole: tasks=[…]");
        assertThatThrownBy(() -> apply("a.b=1")).hasMessageContaining("override 'a.b=1': 'a' is a plain value");
        assertThatThrownBy(() -> apply("a=[")).hasMessageStartingWith("override 'a=[': not YAML");
        for (String malformed : List.of("a", "=1", "a..b=1", ".a=1", "a b=1", "")) {
            assertThatThrownBy(() -> apply(malformed)).hasMessageContaining("is not an override. Write key=value");
        }
    }
}
