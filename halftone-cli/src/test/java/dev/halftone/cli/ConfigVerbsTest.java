package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// `ls`, `cp`, `cat`, `validate`, and the configurations that they handle.
class ConfigVerbsTest {
    @TempDir
    private Path folder;

    static List<String> shipped() {
        return Registry.configNames();
    }

    @Test
    void lsShowsEveryRecipeWithItsConfigurationsAndAliases() {
        String out = Cli.run("ls").out();
        assertThat(out)
                .startsWith("RECIPE")
                .contains("full_finetune_single_device", "qat_distributed", "eleuther_eval");
        for (Recipe<?> recipe : Registry.ALL) {
            assertThat(out).contains(recipe.name());
            assertThat(out).contains(recipe.configs());
        }
    }

    @ParameterizedTest
    @MethodSource("shipped")
    void everyShippedConfigurationIsValid(String name) {
        Cli cli = Cli.run("validate", name);
        assertThat(cli.err()).isEmpty();
        assertThat(cli.status()).isZero();
        assertThat(cli.out())
                .contains("is a valid configuration for the recipe")
                .doesNotContain("NO EFFECT");
    }

    @Test
    void everyYamlInConfigsIsShipped() throws IOException {
        Path configs = Path.of(System.getProperty("halftone.root"), "configs");
        try (Stream<Path> files = Files.walk(configs)) {
            assertThat(files.filter(Files::isRegularFile)
                            .map(f -> configs.relativize(f).toString()))
                    .containsExactlyInAnyOrderElementsOf(
                            shipped().stream().map(n -> n + ".yaml").toList());
        }
    }

    @ParameterizedTest
    @MethodSource("shipped")
    void theCommandsInItsOpeningCommentAreValid(String name) throws IOException {
        List<String> commands =
                Files.readAllLines(Path.of(System.getProperty("halftone.root"), "configs", name + ".yaml")).stream()
                        .takeWhile(line -> line.startsWith("#"))
                        .filter(line -> line.contains("halftone run"))
                        .toList();
        assertThat(commands).anyMatch(c -> c.contains("=")).isNotEmpty();
        for (String command : commands) {
            List<String> words = words(command.replaceFirst(".*halftone run ", ""));
            assertThat(words.get(1)).isEqualTo("--config");
            List<String> arguments = new ArrayList<>(List.of("validate", words.get(2), "--recipe", words.get(0)));
            words.stream().skip(3).filter(w -> !w.equals("--json")).forEach(arguments::add);
            assertThat(Cli.run(arguments.toArray(String[]::new)).err())
                    .as(command)
                    .isEmpty();
        }
    }

    /// A command line's words, as a shell splits them.
    private static List<String> words(String command) {
        return Pattern.compile("([^\\s']|'[^']*')+")
                .matcher(command)
                .results()
                .map(m -> m.group().replace("'", ""))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("shipped")
    void catPrintsAConfigurationThatMeansTheSame(String name) throws IOException {
        Cli cli = Cli.run("cat", name);
        assertThat(cli.out()).contains("# Further keys of the recipe");
        Path copy = Files.writeString(folder.resolve("copy.yaml"), cli.out());
        assertThat(Cli.run("cat", copy.toString(), "--sort").out())
                .isEqualTo(Cli.run("cat", name, "--sort").out());
    }

    @Test
    void cpCopiesTheCommentsToo() throws IOException {
        Path file = folder.resolve("mine");
        assertThat(Cli.run("cp", "qat", file.toString()).out()).contains("mine.yaml");
        assertThat(folder.resolve("mine.yaml"))
                .hasSameTextualContentAs(Path.of(System.getProperty("halftone.root"), "configs", "qat.yaml"));
        assertThat(Cli.run("cp", "eval", folder.toString()).status()).isZero();
        assertThat(folder.resolve("eval.yaml")).exists();
        assertThat(Files.list(folder)).hasSize(2);
    }

    @Test
    void cpMakesFoldersOnlyWhenAsked() {
        String file = folder.resolve("a/b/c.yaml").toString();
        Cli refused = Cli.run("cp", "qat", file);
        assertThat(refused.status()).isEqualTo(2);
        assertThat(refused.err()).contains("add --make-parents");
        assertThat(Cli.run("cp", "qat", file, "--make-parents").status()).isZero();
        assertThat(Path.of(file)).exists();
    }

    @Test
    void cpLeavesAFileAloneWhenAsked() throws IOException {
        Path file = Files.writeString(folder.resolve("a.yaml"), "mine");
        assertThat(Cli.run("cp", "qat", file.toString(), "-n").err()).contains("stays as it is");
        assertThat(file).hasContent("mine");
        assertThat(Cli.run("cp", "qat", file.toString()).status()).isZero();
        assertThat(file).content().isNotEqualTo("mine");
    }

    @Test
    void cpOfARecipeNamesItsConfiguration() {
        assertThat(Cli.run("cp", "qat_distributed", "x").err())
                .contains("Copy its configuration: `halftone cp qat DEST`");
        assertThat(Cli.run("cp", "nothing", "x").err()).contains("there is no configuration file");
    }

    @Test
    void validateListsWhatHasNoEffect() throws IOException {
        Path file = Files.writeString(folder.resolve("mine.yaml"), """
                output_dir: x
                checkpointer: {checkpoint_dir: y, model_type: LLAMA3}
                dataset: {_component_: torchtune.datasets.alpaca_dataset, data_files: a.json}
                optimizer: {_component_: torch.optim.AdamW, lr: 2e-5}
                compile: True
                """);
        Cli cli = Cli.run("validate", file.toString());
        assertThat(cli.status()).isZero();
        assertThat(cli.out())
                .contains("for the recipe full", "NO EFFECT", "checkpointer.model_type", "mine.yaml:5", "compile");
        assertThat(Cli.run("validate", file.toString(), "--recipe", "qat_single_device")
                        .err())
                .contains("quantizer: the recipe qat needs one");
        assertThat(Cli.run("validate", file.toString(), "~compile", "batch_sise=2")
                        .err())
                .contains("override 'batch_sise=2': batch_sise: there is no such key. Did you mean 'batch_size'?");
    }

    @Test
    void validateAsksWhereTheRecipeIsUnclear() throws IOException {
        Path file = Files.writeString(folder.resolve("mine.yaml"), "checkpoint_dir: x\n");
        assertThat(Cli.run("validate", file.toString()).err()).contains("Add --recipe with one of: full, qat,");
    }

    @Test
    void recipesThatAreNotHereAreSaidNotToBe() {
        Cli cli = Cli.run("validate", "qat", "--recipe", "lora_dpo_single_device");
        assertThat(cli.err()).contains("'lora_dpo_single_device' is not in this version. It has full, qat,");
        assertThat(Cli.run("validate", "qat", "--recipe", "qaat").err()).contains("Did you mean 'qat'?");
    }
}
