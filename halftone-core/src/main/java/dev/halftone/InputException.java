package dev.halftone;

/// Something that the user gave is wrong: an argument, a configuration, a file that is missing, corrupt or
/// unsupported.
///
/// The message is written for that user: one sentence that says what is wrong (naming file, line and key where
/// there are any), one that says how to mend it. The command line prints it without a stack trace and exits
/// with status 2.
public final class InputException extends RuntimeException {
    public InputException(String message) {
        super(message);
    }

    public InputException(String message, Throwable cause) {
        super(message, cause);
    }
}
