package dev.halftone.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.halftone.DType;
import dev.halftone.InputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BinderTest {
    enum Color {
        DARK_RED,
        BLUE
    }

    sealed interface Shape {
        @Component(
                value = {"Circle", "Disk"},
                doc = "round")
        record Circle(@Key("its radius") double radius) implements Shape {
            public Circle {
                if (radius < 0) {
                    throw new InputException("radius: %s is negative. Use 0 or more.".formatted(radius));
                }
            }
        }

        @Component(value = "Point", doc = "no extent")
        record Point() implements Shape {}
    }

    record Range(
            @Key(value = "the least", otherwise = "0") int low,

            @Key(value = "the most", otherwise = "${low}", also = "top")
            int high) {
        public Range {
            if (low > high) {
                throw new InputException("high: %d is below low=%d. Raise it.".formatted(high, low));
            }
        }
    }

    record Axis(
            @Key("what is along it") String name,
            @Inline Range range,

            @Key(value = "a step for all of it", otherwise = "${high}")
            int step) {}

    @Foreign(
            value = "blk.lora_*",
            why = "there are no adapters",
            harmless = {})
    @Foreign(value = "blk", why = "the folder says it")
    @Foreign(value = "compile", why = "nothing to compile", harmless = "false")
    record Sample(
            @Key("where it goes") Path outputDir,

            @Key(
                    value = "how many",
                    otherwise = "3",
                    also = {"blk.size", "n"})
            int size,

            @Key(value = "twice as many", otherwise = "${size}")
            int other,

            @Key(value = "a rate", otherwise = "null") @Nullable
            Double rate,

            @Key(value = "on or off", otherwise = "false") boolean flag,
            @Key(value = "a color", otherwise = "blue") Color color,
            @Key(value = "names", otherwise = "[]") List<String> names,
            @Key(value = "columns", otherwise = "{}") Map<String, String> columns,
            @Key(value = "a type", otherwise = "bf16") DType dtype,
            @Key(value = "a shape", otherwise = "Point") Shape shape) {}

    private static Config.Bound<Sample> bind(String yaml, String... overrides) {
        return Config.parse("a.yaml", yaml, List.of(overrides)).bind(Sample.class);
    }

    @Test
    void everyTypeIsRead() {
        Sample s = bind("""
                        output_dir: runs/1
                        size: 4
                        rate: 2
                        flag: True
                        color: DARK_RED
                        names: [a, 7]
                        columns: {x: y}
                        dtype: torch.float32
                        shape: {_component_: some.where.Disk, radius: 1e-2}
                        """).value();
        assertThat(s)
                .isEqualTo(new Sample(
                        Path.of("runs/1"),
                        4,
                        4,
                        2.0,
                        true,
                        Color.DARK_RED,
                        List.of("a", "7"),
                        Map.of("x", "y"),
                        DType.F32,
                        new Shape.Circle(0.01)));
    }

    @Test
    void defaultsFillTheRestAndNullMeansDefault() {
        Sample s = bind("output_dir: x\nsize: null\nnames: null\n").value();
        assertThat(s)
                .isEqualTo(new Sample(
                        Path.of("x"),
                        3,
                        3,
                        null,
                        false,
                        Color.BLUE,
                        List.of(),
                        Map.of(),
                        DType.BF16,
                        new Shape.Point()));
    }

    @Test
    void oneItemNeedsNoBracketsAndOneComponentNoBlock() {
        Sample s = bind("output_dir: 7\nnames: a\nshape: Point\n").value();
        assertThat(s.names()).containsExactly("a");
        assertThat(s.shape()).isEqualTo(new Shape.Point());
        assertThat(s.outputDir()).isEqualTo(Path.of("7"));
    }

    @Test
    void aKeyMayStandInItsOtherPlaces() {
        assertThat(bind("output_dir: x\nn: 9\n").value().size()).isEqualTo(9);
        assertThat(bind("output_dir: x\nblk: {size: 9}\n").value().size()).isEqualTo(9);
        assertThat(bind("output_dir: x\nn: 9\nsize: 9\n").value().size()).isEqualTo(9);
        assertThatThrownBy(() -> bind("output_dir: x\nn: 9\nsize: 8\n"))
                .hasMessage("a.yaml:2: n says the same as size (a.yaml:3) and differs from it. Keep one of them.");
        assertThat(bind("output_dir: x\nn: 9\n", "size=8").value().size()).isEqualTo(8);
        assertThat(bind("output_dir: x\nsize: 9\n", "n=8").value().size()).isEqualTo(8);
    }

    @Test
    void whatMeansNothingIsReported() {
        Config.Bound<Sample> bound = bind("output_dir: x\ncompile: False\nblk:\n  size: 2\n  depth: 3\n");
        assertThat(bound.ignored())
                .containsExactly(
                        new Ignored("compile", new Where("a.yaml", 2), "nothing to compile"),
                        new Ignored("blk", new Where("a.yaml", 3), "the folder says it"));
        assertThat(bind("output_dir: x\ncompile: null\nblk: null\n").ignored()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "compile: True|a.yaml:2: compile: 'true' cannot be honoured: nothing to compile. Set it to false or remove it.",
                "blk: {lora_rank: 8}|a.yaml:2: blk.lora_rank: '8' cannot be honoured: there are no adapters. Remove it.",
                "sise: 4|a.yaml:2: sise: there is no such key. Did you mean 'size'?",
                "shape: {_component_: Circle, radus: 1}|a.yaml:2: shape.radus: there is no such key. Did you mean 'radius'?",
                "shape: {_component_: a.Circel}|a.yaml:2: shape: there is no component 'a.Circel' here. Did you mean 'Circle'?",
                "shape: {radius: 1}|a.yaml:2: shape has no _component_. Name one of: Circle, Disk, Point.",
                "shape: {_component_: Circle}|a.yaml:2: shape.radius is missing: its radius. Add it there, or set shape.radius=… on the command line.",
                "shape: {_component_: Circle, radius: -1}|a.yaml:2: shape.radius: -1.0 is negative. Use 0 or more.",
                "shape: [Point]|a.yaml:2: shape must be one component, not a list.",
                "size: many|a.yaml:2: size must be a whole number, not 'many'. Change it there.",
                "size: 1.5|a.yaml:2: size must be a whole number",
                "size: 3000000000|a.yaml:2: size must be a whole number",
                "rate: fast|a.yaml:2: rate must be a number, not 'fast'.",
                "flag: 1|a.yaml:2: flag must be true or false, not '1'.",
                "flag: {a: 1}|a.yaml:2: flag must be true or false, not a block of keys.",
                "names: [[a]]|a.yaml:2: names.0 must be a text, not a list.",
                "names: [null]|a.yaml:2: names.0 must be a text, not 'null'.",
                "columns: 5|a.yaml:2: columns must be a block of keys, not '5'.",
                "color: dark_redd|a.yaml:2: color: 'dark_redd' is not one of dark_red, blue. Did you mean 'dark_red'?",
                "dtype: int99|a.yaml:2: dtype: 'int99' is not an element type.",
            })
    void mistakesNameFileLineAndKey(String line, String message) {
        assertThatThrownBy(() -> bind("output_dir: x\n" + line + "\n"))
                .isInstanceOf(InputException.class)
                .hasMessageStartingWith(message);
    }

    private static Axis axis(String yaml, String... overrides) {
        return Config.parse("a.yaml", yaml, List.of(overrides)).bind(Axis.class).value();
    }

    @Test
    void inlinedKeysStandInTheBlockAroundThem() {
        Axis axis = axis("name: x\nlow: 2\n", "top=5");
        assertThat(axis).isEqualTo(new Axis("x", new Range(2, 5), 5));
        assertThat(Plain.of(axis)).isEqualTo(Map.of("name", "x", "low", 2, "high", 5, "step", 5));
        assertThat(Reference.keys(Axis.class))
                .extracting(Reference.KeyDoc::name)
                .containsExactly("name", "low", "high", "step");
        assertThatThrownBy(() -> axis("name: x\nlow: 2\ntop: 1\n"))
                .hasMessage("a.yaml:3: high: 1 is below low=2. Raise it.");
        assertThatThrownBy(() -> axis("name: x\nlow: 2\n", "high=1"))
                .hasMessage("override 'high=1': high: 1 is below low=2. Raise it.");
        assertThatThrownBy(() -> axis("name: x\nhihg: 2\n"))
                .hasMessage("a.yaml:2: hihg: there is no such key. Did you mean 'high'?");
        assertThatThrownBy(() -> axis("name: x\nrange: {low: 2}\n"))
                .hasMessageContaining("range: there is no such key.");
    }

    @Test
    void aMissingKeyNamesItsBlock() {
        assertThatThrownBy(() -> bind("size: 1\n"))
                .hasMessage(
                        "a.yaml:1: output_dir is missing: where it goes. Add it there, or set output_dir=… on the command line.");
    }

    @Test
    void mistakesOnTheCommandLineNameTheOverride() {
        assertThatThrownBy(() -> bind("output_dir: x\n", "size=many"))
                .hasMessageStartingWith("override 'size=many': size must be a whole number");
        assertThatThrownBy(() -> bind("output_dir: x\n", "sise=1"))
                .hasMessage("override 'sise=1': sise: there is no such key. Did you mean 'size'?");
        assertThatThrownBy(() -> bind("output_dir: x\n", "shape._component_=Circle", "shape.radius=-1"))
                .hasMessageStartingWith("override 'shape.radius=-1': shape.radius: -1.0 is negative.");
    }

    @Test
    void theBoundRecordGoesBackToPlainValues() {
        Sample s = bind("output_dir: x\nshape: {_component_: Disk, radius: 2}\nn: 5\n")
                .value();
        Map<String, @Nullable Object> plain = Plain.of(s);
        assertThat(plain.keySet()).startsWith("output_dir", "size", "other", "rate");
        assertThat(plain)
                .containsEntry("output_dir", "x")
                .containsEntry("size", 5)
                .containsEntry("rate", null)
                .containsEntry("color", "blue")
                .containsEntry("dtype", "bf16")
                .containsEntry("shape", Map.of("_component_", "Circle", "radius", 2.0));
    }
}
