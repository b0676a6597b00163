package dev.halftone.cli;

import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/// The `halftone` command.
@SuppressWarnings("UnusedVariable") // picocli sets what needs only to be accepted
@Command(
        name = "halftone",
        description =
                "Fine-tunes language models so that they survive quantization, and ships exactly what it trained.",
        versionProvider = VersionProvider.class,
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            LsCommand.class,
            CpCommand.class,
            CatCommand.class,
            ValidateCommand.class,
            InspectCommand.class,
            ImportCommand.class,
            RunCommand.class,
            CertifyCommand.class,
            ConformanceCommand.class,
            QuickstartCommand.class,
        },
        footerHeading = "%nExamples:%n",
        footer = {
            "  halftone quickstart                    the whole story on a small model",
            "  halftone ls                            the recipes and their configurations",
            "  halftone run qat --config qat          fine-tune a model for the grid it will be quantized to",
            "  halftone COMMAND --help                the options and examples of a command",
        })
public final class Main implements Callable<Integer> {
    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            scope = ScopeType.INHERIT,
            description = "Show this help.")
    private boolean help;

    @Option(
            names = {"-V", "--version"},
            versionHelp = true,
            description = "Show the version.")
    private boolean version;

    @Option(names = "--debug", scope = ScopeType.INHERIT, description = "Show the stack trace of an error.")
    private boolean debug;

    private final Console console;

    private Main(Console console) {
        this.console = console;
    }

    /// Runs one command and ends the process with its status.
    public static void main(String[] args) {
        // Numbers look the same on every machine.
        Locale.setDefault(Locale.ROOT);
        Console console = Console.system();
        int status = run(console, args);
        System.exit(status);
    }

    /// Runs one command.
    ///
    /// @return its exit status
    static int run(Console console, String... args) {
        Main main = new Main(console);
        try {
            return main.line().execute(args);
        } catch (StackOverflowError | OutOfMemoryError | LinkageError e) {
            return main.failed(e);
        } finally {
            console.out().flush();
            console.err().flush();
            Interruption.finished();
        }
    }

    private CommandLine line() {
        return new CommandLine(this)
                .setExpandAtFiles(false)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setUsageHelpWidth(100)
                .setColorScheme(Help.defaultColorScheme(console.color() ? Help.Ansi.ON : Help.Ansi.OFF))
                .setOut(new PrintWriter(console.out(), true, StandardCharsets.UTF_8))
                .setErr(new PrintWriter(console.err(), true, StandardCharsets.UTF_8))
                .setParameterExceptionHandler((e, _) -> failed(Usage.mistake(e), 2))
                .setExecutionExceptionHandler((e, _, _) -> failed(e));
    }

    /// The verbs' names.
    static Set<String> verbs() {
        return new CommandLine(new Main(Console.system())).getSubcommands().keySet();
    }

    Console console() {
        return console;
    }

    @Override
    public Integer call() {
        new CommandLine(this).usage(console.out());
        return 0;
    }

    private int failed(Throwable e) {
        return switch (e) {
            case InputException input -> failed(input, 2);
            case RunException run -> failed(run, 1);
            case OutOfMemoryError memory ->
                failed(
                        new RunException(
                                "Java ran out of memory (%s). Set HALFTONE_JAVA_OPTIONS=-Xmx8g, or use a smaller batch_size or max_seq_len."
                                        .formatted(memory.getMessage()),
                                memory),
                        1);
            default ->
                failed(
                        new RunException(
                                "this is a fault of the program (%s). Run it again with --debug and report what it prints."
                                        .formatted(firstLine(e)),
                                e),
                        1);
        };
    }

    private int failed(Throwable e, int status) {
        console.out().flush();
        console.err().println("halftone: " + e.getMessage());
        if (debug) {
            e.printStackTrace(console.err());
        }
        return status;
    }

    /// What libtorch throws carries its own stack trace in further lines.
    private static String firstLine(Throwable e) {
        return e.toString().lines().findFirst().orElse("");
    }
}
