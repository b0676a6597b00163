package dev.halftone.recipe;

import dev.halftone.RunException;
import dev.halftone.model.Tokens;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;

/// What a certificate's two models read.
final class CertificateText {
    /// Positions that are compared, at most.
    private static final int MAX_TOKENS = 256;

    /// From George Washington's second address to Congress, 1790, in the public domain.
    private static final String TEXT = "certificate.txt";

    private CertificateText() {}

    /// Real text, or, for a model without a tokenizer, ids spread over its vocabulary.
    static Tokens tokens(Path model, int vocabulary, int maxPositions) {
        int limit = Math.min(MAX_TOKENS, maxPositions);
        if (!Files.exists(model.resolve("tokenizer.json"))) {
            return Tokens.of(IntStream.range(0, limit)
                    .map(i -> (int) (i * 7919L % vocabulary))
                    .toArray());
        }
        try (Tokenizer tokenizer = Tokenizers.load(model)) {
            int[] ids = tokenizer.encode(text(), false);
            return Tokens.of(Arrays.copyOf(ids, Math.min(limit, ids.length)));
        }
    }

    private static String text() {
        try (InputStream in = Objects.requireNonNull(CertificateText.class.getResourceAsStream(TEXT))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new RunException("The text of the certificate cannot be read. Build Halftone again.", e);
        }
    }
}
