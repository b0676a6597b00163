package dev.halftone.config.schema;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.config.Reference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.SequencedSet;
import org.junit.jupiter.api.Test;

/// Keeps docs/reference/configuration.md equal to the records. After changing a record, write it anew with
/// `-Dhalftone.update=true`.
class ConfigurationPageTest {
    private static final String INTRODUCTION = """
            # Configuration

            <!-- Generated from the records in dev.halftone.config.schema; ConfigurationPageTest writes and checks it. -->

            A configuration is a YAML file in torchtune's dialect. Every key is typed: an unknown one is an error that names file, line
            and the nearest valid name.

            - `_component_` names a component by the last part of its dotted path: `torch.optim.AdamW` and `AdamW` are the same. A
              component without keys needs no block: `loss: LinearCrossEntropyLoss`.
            - `${a.b}` takes over the value of another key, counted from the top.
            - On the command line, `a.b=value` sets a key (the value is YAML; blocks above it are created), `dataset=alpaca_dataset`
              replaces a component's name and keeps its other keys, `~a.b` removes a key.
            - `null` means the default. A list of one needs no brackets.
            - torchtune's longer `model`, `tokenizer` and `checkpointer` blocks work too: `checkpoint_dir` stands for all three. Keys
              of theirs that change no result are accepted and reported, others refused.

            """;

    private static String page() {
        StringBuilder page = new StringBuilder(INTRODUCTION);
        page.append(Reference.recipe("The recipes `full` and `qat`", FinetuneConfig.class))
                .append('\n');
        page.append(Reference.recipe("The recipe `merge`", MergeConfig.class)).append('\n');
        page.append(Reference.recipe("The recipe `quantize`", QuantizeConfig.class))
                .append('\n');
        page.append(Reference.recipe("The recipe `export`", ExportConfig.class)).append('\n');
        page.append(Reference.recipe("The recipe `eval`", EvalConfig.class)).append('\n');
        page.append(Reference.recipe("The recipe `generate`", GenerateConfig.class))
                .append('\n');
        page.append("## What every recipe accepts from torchtune's files, without effect\n\n")
                .append(Reference.foreign(RecipeConfig.class))
                .append('\n');
        SequencedSet<Class<?>> kinds = new LinkedHashSet<>(Reference.componentsOf(FinetuneConfig.class));
        for (Class<?> kind : kinds) {
            String name = kind.getSimpleName().replace("Config", "").replaceAll("(?<=[a-z])(?=[A-Z])", " ");
            page.append(Reference.components("Components: " + name.toLowerCase(Locale.ROOT), kind))
                    .append('\n');
        }
        return page.toString().stripTrailing() + "\n";
    }

    @Test
    void thePageIsWhatTheRecordsSay() throws IOException {
        Path file = Path.of(System.getProperty("halftone.root"), "docs", "reference", "configuration.md");
        if (Boolean.getBoolean("halftone.update")) {
            Files.createDirectories(file.getParent());
            Files.writeString(file, page());
        }
        assertThat(file)
                .as("the reference; write it anew with -Dhalftone.update=true")
                .hasContent(page());
    }
}
