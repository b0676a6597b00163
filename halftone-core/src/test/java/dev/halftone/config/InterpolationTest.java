package dev.halftone.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InterpolationTest {
    private static String resolve(String yaml, String... overrides) {
        return YamlWriter.write(Config.parse("a.yaml", yaml, List.of(overrides)).resolved());
    }

    @Test
    void aWholeValueKeepsItsType() {
        assertThat(resolve("a: 5\nb: ${a}\nc: ${d.e}\nd: {e: [1, 2]}\n")).contains("b: 5\n", "c: [1, 2]\n");
    }

    @Test
    void aReferenceWithinTextInsertsIt() {
        assertThat(resolve("out: /tmp/x\nn: 2e-5\nlog: ${out}/logs-${n}\n")).contains("log: /tmp/x/logs-2e-5\n");
    }

    @Test
    void referencesAreFollowedAfterOverrides() {
        assertThat(resolve("out: a\nlog: ${out}/logs\n", "out=b")).contains("log: b/logs\n");
    }

    @Test
    void chainsAndListElementsAreFollowed() {
        assertThat(resolve("a: ${b.1}\nb: [x, '${c}']\nc: 7\nd: ${b[0]}\n")).contains("a: 7\n", "d: x\n");
    }

    @Test
    void anEscapedReferenceIsText() {
        assertThat(resolve("a: 'cost \\${x}'\n")).contains("cost ${x}");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a: ${b}\\nb: ${a}|a.yaml:1: ${b} refers to itself (b -> a -> b)",
                "a: {b: '${a}'}|refers to itself",
                "output_dir: x\\na: ${outputdir}|a.yaml:2: ${outputdir} refers to a key that is not there. Did you mean 'output_dir'?",
                "a: ${oc.env:HOME}|${oc.env:HOME} is not supported",
                "a: x${b}\\nb: [1]|cannot stand within a text",
            })
    void badReferencesSayWhere(String yaml, String message) {
        assertThatThrownBy(() -> resolve(yaml.replace("\\n", "\n"))).hasMessageContaining(message);
    }
}
