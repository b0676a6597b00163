package dev.halftone;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.config.Component;
import dev.halftone.config.schema.QuantizerConfig;
import dev.halftone.format.ExportFormat;
import dev.halftone.quant.ChainedGrid;
import dev.halftone.quant.Grid;
import dev.halftone.quant.QuantScheme;
import java.io.IOException;
import java.lang.annotation.Annotation;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Keeps the table of schemes in COVERAGE.md equal to what the tests run over. After changing [Schemes], write it
/// anew with `-Dhalftone.update=true`.
class CoverageTest {
    private static final Path ROOT = Path.of(System.getProperty("halftone.root"));
    private static final String BEGIN = "<!-- The table below is generated; CoverageTest writes and checks it. -->\n";
    private static final String END = "<!-- End of the generated table. -->\n";

    @Test
    void theTableIsWhatTheTestsRunOver() throws IOException {
        Path file = ROOT.resolve("COVERAGE.md");
        String text = Files.readString(file);
        int begin = text.indexOf(BEGIN) + BEGIN.length();
        int end = text.indexOf(END);
        String expected = text.substring(0, begin) + "\n" + table() + "\n" + text.substring(end);
        if (Boolean.getBoolean("halftone.update")) {
            Files.writeString(file, expected);
        }
        assertThat(file)
                .as("the coverage; write it anew with -Dhalftone.update=true")
                .hasContent(expected);
    }

    @Test
    void everyTestThatIsNamedExists() throws IOException {
        Set<String> tests = new HashSet<>();
        for (String module : List.of("halftone-core", "halftone-torch", "halftone-cli")) {
            try (Stream<Path> files = Files.walk(ROOT.resolve(module).resolve("src/test/java"))) {
                files.map(file -> file.getFileName().toString())
                        .filter(name -> name.endsWith("Test.java"))
                        .forEach(name -> tests.add(name.substring(0, name.length() - ".java".length())));
            }
        }
        assertThat(tests)
                .containsAll(Pattern.compile("`(\\w+Test)`")
                        .matcher(Files.readString(ROOT.resolve("COVERAGE.md")))
                        .results()
                        .map((MatchResult m) -> m.group(1))
                        .toList());
    }

    private static String table() throws IOException {
        List<String> trained = testsWith(AllSchemes.Trainable.class);
        List<String> all = testsWith(AllSchemes.class);
        List<String> cases = SchemesTest.goldenSchemes();
        StringBuilder out = new StringBuilder("""
                | Scheme | Numerics | `_component_` | Recipes | Export | Golden cases | Proven by |
                |---|---|---|---|---|---|---|
                """);
        for (Schemes.Row row : Schemes.ROWS) {
            long golden = cases.stream().filter(c -> c.matches(row.golden())).count();
            Set<String> proofs = new LinkedHashSet<>();
            row.schemes().forEach(scheme -> proofs.addAll(oracleTests(scheme)));
            proofs.addAll(all);
            if (row.isTrainable()) {
                proofs.addAll(trained);
            }
            if (golden > 0) {
                proofs.add("QuantCasesTest");
            }
            out.append("| %s | %s | %s | %s | %s | %d | %s |\n"
                    .formatted(
                            code(row.schemes(), QuantScheme::label),
                            row.numerics().label(),
                            component(row),
                            recipes(row),
                            formats(row),
                            golden,
                            code(proofs, test -> test)));
        }
        return out.toString();
    }

    private static String component(Schemes.Row row) {
        return SchemesTest.quantizers(QuantizerConfig.OneScheme.class)
                .filter(c -> c.value()[0].equals(row.component()))
                .findFirst()
                .map((Component c) -> code(Arrays.asList(c.value()), name -> name) + ": " + c.doc())
                .orElse("Java API only");
    }

    private static String recipes(Schemes.Row row) {
        return row.component().isEmpty() ? "" : (row.isTrainable() ? "qat, " : "") + "quantize, eval, generate";
    }

    /// The formats that hold all of a row's schemes, and those that hold some, with their names.
    private static String formats(Schemes.Row row) {
        List<String> formats = new ArrayList<>();
        for (ExportFormat format : ExportFormat.values()) {
            List<QuantScheme> fitting =
                    row.schemes().stream().filter(format::fits).toList();
            if (fitting.size() == row.schemes().size()) {
                formats.add(format.label());
            } else if (!fitting.isEmpty()) {
                formats.add(format.label() + " (" + code(fitting, QuantScheme::label) + ")");
            }
        }
        return String.join(", ", formats);
    }

    private static <T> String code(Iterable<T> items, Function<T, String> name) {
        List<String> names = new ArrayList<>();
        items.forEach(item -> names.add("`" + name.apply(item) + "`"));
        return String.join(", ", names);
    }

    /// The tests of the oracles that a scheme's grids have.
    private static List<String> oracleTests(QuantScheme scheme) {
        return Stream.of(scheme.weights(DType.F32), scheme.activations(DType.F32))
                .flatMap(grid -> grid instanceof ChainedGrid(Grid first, Grid second)
                        ? Stream.of(first, second)
                        : Stream.ofNullable(grid))
                .map(grid -> grid.oracle().getClass().getSimpleName() + "Test")
                .toList();
    }

    /// The test classes of this module that have a method with the annotation.
    private static List<String> testsWith(Class<? extends Annotation> annotation) throws IOException {
        Path classes = classes();
        List<String> names;
        try (Stream<Path> files = Files.walk(classes)) {
            names = files.map(file -> classes.relativize(file).toString())
                    .filter(name -> name.endsWith("Test.class"))
                    .map(name ->
                            name.substring(0, name.length() - ".class".length()).replace('/', '.'))
                    .sorted()
                    .toList();
        }
        return names.stream()
                .map(CoverageTest::load)
                .filter(test ->
                        Arrays.stream(test.getDeclaredMethods()).anyMatch(m -> m.isAnnotationPresent(annotation)))
                .map(Class::getSimpleName)
                .toList();
    }

    private static Path classes() {
        try {
            return Path.of(CoverageTest.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private static Class<?> load(String name) {
        try {
            return Class.forName(name, false, CoverageTest.class.getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }
}
