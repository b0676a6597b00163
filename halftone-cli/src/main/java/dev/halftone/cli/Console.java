package dev.halftone.cli;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/// Where a command writes.
///
/// @param out results
/// @param err everything else
/// @param terminal whether a person watches `err`: only then a line is drawn over
/// @param color whether help on `out` may be coloured
record Console(PrintStream out, PrintStream err, boolean terminal, boolean color) {
    /// The process's own streams, in UTF-8. The launcher says with `halftone.stderr.terminal` whether standard error
    /// is a terminal, which Java cannot tell, and with `halftone.stderr.descriptor` where the real one is when it
    /// filters the JVM's warnings.
    @SuppressWarnings("SystemConsoleNull") // it is null again from JDK 25 on where no one sits at a terminal
    static Console system() {
        boolean dumb = System.getenv().getOrDefault("TERM", "dumb").equals("dumb");
        boolean plain = !System.getenv().getOrDefault("NO_COLOR", "").isEmpty();
        return new Console(
                utf8(new FileOutputStream(FileDescriptor.out), false),
                utf8(standardError(), true),
                Boolean.getBoolean("halftone.stderr.terminal") && !dumb,
                System.console() != null && System.console().isTerminal() && !dumb && !plain);
    }

    private static OutputStream standardError() {
        Integer descriptor = Integer.getInteger("halftone.stderr.descriptor");
        return descriptor == null ? new FileOutputStream(FileDescriptor.err) : new DescriptorStream(descriptor);
    }

    private static PrintStream utf8(OutputStream stream, boolean flush) {
        return new PrintStream(stream, flush, StandardCharsets.UTF_8);
    }
}
