package dev.halftone.tokenizer;

import java.util.Arrays;

/// Token ids and where each lies in the text that they encode.
///
/// Offsets count UTF-16 code units, as `String.charAt` does. Token `i` covers `[starts[i], ends[i])`; tokens that
/// share a character (bytes of one emoji) share its range, and a token that was added around the text covers an
/// empty range.
///
/// @param ids one id a token
/// @param starts where each token begins
/// @param ends where each token ends (exclusive)
public record Encoding(int[] ids, int[] starts, int[] ends) {
    public Encoding {
        if (ids.length != starts.length || ids.length != ends.length) {
            throw new IllegalArgumentException("ids and offsets differ in length");
        }
    }

    public int length() {
        return ids.length;
    }

    /// The first token that covers the character at `position`, or -1 if none does.
    public int firstTokenAt(int position) {
        for (int i = 0; i < ids.length; i++) {
            if (starts[i] <= position && position < ends[i]) {
                return i;
            }
        }
        return -1;
    }

    /// The last token that covers the character at `position`, or -1 if none does. It is another than the first
    /// where several byte tokens make one character.
    public int lastTokenAt(int position) {
        for (int i = ids.length - 1; i >= 0; i--) {
            if (starts[i] <= position && position < ends[i]) {
                return i;
            }
        }
        return -1;
    }

    @Override
    public String toString() {
        return "Encoding" + Arrays.toString(ids);
    }
}
