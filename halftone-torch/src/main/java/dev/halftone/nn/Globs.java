package dev.halftone.nn;

import java.util.regex.Pattern;

/// Patterns over the dotted paths of modules: `*` stands for any characters, dots too, `?` for one.
public final class Globs {
    private Globs() {}

    /// What a whole path must match.
    public static Pattern pattern(String glob) {
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < glob.length(); i++) {
            char c = glob.charAt(i);
            regex.append(
                    switch (c) {
                        case '*' -> ".*";
                        case '?' -> ".";
                        default -> Pattern.quote(String.valueOf(c));
                    });
        }
        return Pattern.compile(regex.toString());
    }
}
