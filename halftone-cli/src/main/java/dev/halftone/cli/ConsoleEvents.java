package dev.halftone.cli;

import dev.halftone.recipe.Events;
import java.time.Duration;
import java.util.Locale;

/// Shows on a console what a recipe tells: a bar on a terminal, plain lines elsewhere, tables and texts as results.
final class ConsoleEvents implements Events {
    private static final int BAR = 24;
    private static final long REDRAW = Duration.ofMillis(100).toNanos();
    private static final long PLAIN_LINE = Duration.ofSeconds(10).toNanos();

    private final Console console;
    private final boolean results;

    private String task = "";
    private long taskStart;
    private long lastShown;
    /// Width of the bar that stands on the terminal's last line; 0 if there is none.
    private int drawn;

    /// @param results whether results are printed as they come; not where standard output is one JSON document
    ConsoleEvents(Console console, boolean results) {
        this.console = console;
        this.results = results;
    }

    @Override
    public void line(String sentence) {
        clear();
        console.err().println(sentence);
    }

    @Override
    public void table(Table table) {
        clear();
        if (results) {
            TextTable.print(console.out(), table.header(), table.rows());
        }
    }

    @Override
    public void aside(Table table) {
        clear();
        if (results) {
            TextTable.print(console.err(), table.header(), table.rows());
        }
    }

    @Override
    public void text(String piece) {
        clear();
        if (results) {
            console.out().print(piece);
            console.out().flush();
        }
    }

    @Override
    public void progress(Progress progress) {
        long now = System.nanoTime();
        boolean first = !progress.task().equals(task);
        if (first) {
            clear();
            task = progress.task();
            taskStart = now;
        }
        boolean last = progress.done() >= progress.total();
        if (first || last || now - lastShown >= (console.terminal() ? REDRAW : PLAIN_LINE)) {
            lastShown = now;
            show(progress, Duration.ofNanos(now - taskStart));
        }
        if (last) {
            finish();
        }
    }

    private void show(Progress p, Duration elapsed) {
        if (!console.terminal()) {
            console.err().println("%s %d/%d%s".formatted(p.task(), p.done(), p.total(), note(p)));
            return;
        }
        int full = p.total() == 0 ? BAR : Math.toIntExact(BAR * p.done() / p.total());
        String line = "%s [%s%s] %d/%d%s%s"
                .formatted(
                        p.task(),
                        "█".repeat(full),
                        "·".repeat(BAR - full),
                        p.done(),
                        p.total(),
                        note(p),
                        left(p, elapsed));
        console.err().print("\r" + line + " ".repeat(Math.max(0, drawn - line.length())));
        console.err().flush();
        drawn = line.length();
    }

    private static String note(Progress p) {
        return p.note().isEmpty() ? "" : "  " + p.note();
    }

    private static String left(Progress p, Duration elapsed) {
        if (p.done() == 0 || p.done() >= p.total()) {
            return "";
        }
        long seconds = elapsed.toSeconds() * (p.total() - p.done()) / p.done();
        return String.format(Locale.ROOT, "  %d:%02d left", seconds / 60, seconds % 60);
    }

    /// Ends the line that the bar stands on, leaving it there.
    private void finish() {
        if (drawn > 0) {
            console.err().println();
            drawn = 0;
        }
        task = "";
    }

    /// Takes the bar away, for something else to be printed in its place.
    void clear() {
        if (drawn > 0) {
            console.err().print("\r" + " ".repeat(drawn) + "\r");
            drawn = 0;
        }
    }

    @Override
    public boolean stopRequested() {
        return Interruption.requested();
    }
}
