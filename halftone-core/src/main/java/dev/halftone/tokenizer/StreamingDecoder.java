package dev.halftone.tokenizer;

import java.util.Arrays;

/// Decodes a running generation: each token gives the text that it completes, and all pieces together are exactly
/// [Tokenizer#decode] of all tokens.
///
/// A token alone does not tell its text: it may be a part of a character, or its leading space may count only
/// because something stands before it. So a short window of tokens is decoded with and without the newest, and
/// what was gained is the piece. Text is held back while it may still change:
///
/// - a trailing U+FFFD, since it stands for the first bytes of a character whose other bytes are still to come;
/// - a run of byte tokens (`<0x0A>`), since one invalid byte turns the whole run into U+FFFD.
///
/// Not safe for use by several threads.
public final class StreamingDecoder {
    private static final char REPLACEMENT = '\uFFFD';

    private final Tokenizer tokenizer;
    private final boolean skipSpecialTokens;

    /// Tokens since the last but one piece. One piece of context before the new text makes leading spaces come out
    /// right.
    private int[] window = new int[0];

    /// How many tokens of the window belong to pieces already given, and how many characters of its text those
    /// were.
    private int givenTokens;

    private int givenChars;

    StreamingDecoder(Tokenizer tokenizer, boolean skipSpecialTokens) {
        this.tokenizer = tokenizer;
        this.skipSpecialTokens = skipSpecialTokens;
    }

    /// Takes the next token.
    ///
    /// @return the text that is now certain, often one word, sometimes empty; never half a character
    public String add(int id) {
        window = Arrays.copyOf(window, window.length + 1);
        window[window.length - 1] = id;
        if (tokenizer.isByte(id)) {
            return "";
        }
        String text = tokenizer.decode(window, skipSpecialTokens);
        boolean complete = text.isEmpty() || text.charAt(text.length() - 1) != REPLACEMENT;
        int certain = complete ? text.length() : text.length() - 1;
        if (certain <= givenChars) {
            return "";
        }
        String piece = text.substring(givenChars, certain);
        givenChars = certain;
        if (complete) {
            slide();
        }
        return piece;
    }

    /// Ends the sequence.
    ///
    /// @return what was still held back: U+FFFD for a character that never got its last byte; empty as a rule
    public String finish() {
        String text = tokenizer.decode(window, skipSpecialTokens);
        String rest = text.substring(Math.min(givenChars, text.length()));
        window = new int[0];
        givenTokens = 0;
        givenChars = 0;
        return rest;
    }

    private void slide() {
        window = Arrays.copyOfRange(window, givenTokens, window.length);
        givenTokens = window.length;
        givenChars = tokenizer.decode(window, skipSpecialTokens).length();
    }
}
