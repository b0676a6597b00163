package dev.halftone.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.InputException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class YamlTest {
    private static @Nullable Object value(String text) {
        return ((Node.Scalar) Yaml.value(new Where("test", 1), text)).value();
    }

    @ParameterizedTest
    @CsvSource({"2e-5,2e-5", "1E3,1000", "1.,1", ".5,0.5", "-1.5e+2,-150", "1_000.5,1000.5", "5e-6,5e-6"})
    void floatsNeedNoPoint(String text, double expected) {
        assertThat(value(text)).isEqualTo(expected);
    }

    @Test
    void floatsMayBeInfiniteOrNoNumber() {
        assertThat(value(".inf")).isEqualTo(Double.POSITIVE_INFINITY);
        assertThat(value("-.inf")).isEqualTo(Double.NEGATIVE_INFINITY);
        assertThat(value(".nan")).isEqualTo(Double.NaN);
    }

    @ParameterizedTest
    @CsvSource({"0,0", "-7,-7", "+7,7", "1_000,1000", "0x10,16"})
    void integersAreLongs(String text, long expected) {
        assertThat(value(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"00005", "1e", "e5", "1.2.3", "12:30:45", "2024-01-01", "a_1", "99999999999999999999", "None"})
    void whatIsNoNumberIsText(String text) {
        assertThat(value(text)).isEqualTo(text);
    }

    @ParameterizedTest
    @CsvSource({"True,true", "true,true", "yes,true", "On,true", "False,false", "no,false", "OFF,false"})
    void booleansAreYaml11s(String text, boolean expected) {
        assertThat(value(text)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "Null", "~", ""})
    void nullHasFourSpellings(String text) {
        assertThat(value(text)).isNull();
    }

    @Test
    void quotesMakeText() {
        assertThat(value("'2e-5'")).isEqualTo("2e-5");
        assertThat(value("\"True\"")).isEqualTo("True");
    }

    @Test
    void everyKeyKnowsItsLine() {
        Node.Mapping root = Yaml.read("a.yaml", "# head\na: 1\nb:\n  c:\n    - 5\n    - 6\n");
        assertThat(Objects.requireNonNull(root.at("b.c")).where()).hasToString("a.yaml:4");
        assertThat(Objects.requireNonNull(root.at("b.c.1")).where()).hasToString("a.yaml:6");
        assertThat(root.at("b.d")).isNull();
        assertThat(root.at("b.c.2")).isNull();
    }

    @Test
    void anEmptyFileIsAnEmptyMapping() {
        assertThat(Yaml.read("a.yaml", "# nothing\n").entries()).isEmpty();
    }

    @Test
    void anchorsAreFollowed() {
        Node.Mapping root = Yaml.read("a.yaml", "a: &x [1, 2]\nb: *x\n");
        assertThat(root.at("b.1")).isEqualTo(root.at("a.1"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "a: [1|a.yaml:1:|not YAML",
                "a: 1\\n b: 2|a.yaml:2:|not YAML",
                "a: 1\\na: 2|a.yaml:2:|is there twice",
                "- 1|a.yaml|top level is no mapping",
                "a: &x [*x]|a.yaml:1|contains itself",
                "[1]: 2|a.yaml:1|a key must be a word",
            })
    void badYamlNamesFileAndLine(String text, String where, String what) {
        assertThatThrownBy(() -> Yaml.read("a.yaml", text.replace("\\n", "\n")))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith(where)
                .hasMessageContaining(what);
    }

    @Test
    void deepNestingIsAnErrorNotACrash() {
        assertThatThrownBy(() -> Yaml.read("a.yaml", "a: " + "[".repeat(100_000)))
                .isInstanceOf(InputException.class);
    }
}
