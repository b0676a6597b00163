package dev.halftone.eval;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Cuts a document into windows so that every token is predicted exactly once, each with as much context as fits.
///
/// The rule is lm-evaluation-harness' (0.4.13: `get_rolling_token_windows` with a context of one token, then
/// `make_disjoint_window`): the first token is predicted from a prefix token, full windows see one token of
/// context, and the last, shorter one is filled up with context from the left.
final class RollingWindows {
    private RollingWindows() {}

    /// A window: the model reads `input`, and its last `targets.length` outputs predict `targets`.
    ///
    /// @param input at most the maximal length
    record Window(int[] input, int[] targets) {}

    /// @param tokens the document, without special tokens
    /// @param prefix what stands before the first token
    /// @param maxLength tokens that the model reads at once
    static List<Window> of(int[] tokens, int prefix, int maxLength) {
        List<Window> windows = new ArrayList<>();
        int done = Math.min(maxLength, tokens.length);
        if (done > 0) {
            int[] input = new int[done];
            input[0] = prefix;
            System.arraycopy(tokens, 0, input, 1, done - 1);
            windows.add(new Window(input, Arrays.copyOf(tokens, done)));
        }
        while (done < tokens.length) {
            int end = Math.min(done + maxLength, tokens.length);
            windows.add(new Window(
                    Arrays.copyOfRange(tokens, end - 1 - maxLength, end - 1), Arrays.copyOfRange(tokens, done, end)));
            done = end;
        }
        return windows;
    }
}
