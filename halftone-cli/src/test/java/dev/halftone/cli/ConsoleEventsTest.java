package dev.halftone.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.halftone.recipe.Events.Progress;
import dev.halftone.recipe.Events.Table;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConsoleEventsTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    private ConsoleEvents events(boolean terminal, boolean tables) {
        return new ConsoleEvents(
                new Console(
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        terminal,
                        terminal),
                tables);
    }

    @Test
    void elsewhereThanOnATerminalProgressIsAFewPlainLines() {
        ConsoleEvents events = events(false, true);
        for (int i = 1; i <= 1000; i++) {
            events.progress(new Progress("training", i, 1000, "loss 2.31"));
        }
        assertThat(err.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines("training 1/1000  loss 2.31\ntraining 1000/1000  loss 2.31\n");
    }

    @Test
    void onATerminalABarIsDrawnOverAndStaysWhenFull() {
        ConsoleEvents events = events(true, true);
        events.progress(new Progress("training", 1, 4, ""));
        events.line("Saved.");
        events.progress(new Progress("training", 4, 4, ""));
        String text = err.toString(StandardCharsets.UTF_8);
        assertThat(text).startsWith("\rtraining [██████··················] 1/4");
        assertThat(text).contains(" \rSaved.");
        assertThat(text.stripTrailing()).endsWith("\rtraining [" + "█".repeat(24) + "] 4/4");
        assertThat(text).endsWith(System.lineSeparator());
    }

    @Test
    void tablesAreResults() {
        Table table = new Table(List.of("document", "words"), List.of(List.of("a.txt", "5"), List.of("b", "1,024")));
        events(false, true).table(table);
        assertThat(out.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines("document  words\na.txt         5\nb         1,024\n");
        assertThat(err.size()).isZero();
    }

    @Test
    void besideAJsonDocumentThereAreNoTables() {
        events(false, false).table(new Table(List.of("a"), List.of(List.of("b"))));
        assertThat(out.size()).isZero();
    }
}
