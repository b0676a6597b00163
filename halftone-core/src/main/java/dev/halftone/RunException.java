package dev.halftone;

/// Something failed on the way although the input was right: a full disk, a file that vanished, a certificate that does
/// not hold.
///
/// The message says what happened and what can be done. The command line prints it without a stack trace and exits with
/// status 1.
public final class RunException extends RuntimeException {
    public RunException(String message) {
        super(message);
    }

    public RunException(String message, Throwable cause) {
        super(message, cause);
    }
}
