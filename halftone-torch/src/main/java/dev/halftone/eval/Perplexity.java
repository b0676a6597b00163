package dev.halftone.eval;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Pattern;

/// Perplexity of whole documents, as lm-evaluation-harness computes it for its `wikitext` task: the log-likelihood of
/// every token under a rolling window, divided by the *words* or *bytes* of the text, so that models with different
/// tokenizers compare.
///
/// - `word_perplexity = exp(-L / words)`, words being what whitespace separates, counted as Python's
///   `len(re.split(r"\s+", text))` does (so an empty string at either end counts)
/// - `byte_perplexity = exp(-L / bytes)`, bytes of UTF-8
/// - `bits_per_byte = -L / bytes / ln 2`
///
/// @param documents one entry a document, in the order given
public record Perplexity(List<Document> documents) {
    /// Python's `\s` for text: Unicode whitespace and the four separators U+001C to U+001F.
    private static final Pattern WHITESPACE = Pattern.compile("[\\s\\x1c-\\x1f]+", Pattern.UNICODE_CHARACTER_CLASS);

    /// What one document gave.
    ///
    /// @param name its file
    /// @param logLikelihood natural logarithm, summed over all tokens
    public record Document(String name, long tokens, double logLikelihood, long words, long bytes) {
        static Document of(String name, String text, long tokens, double logLikelihood) {
            return new Document(
                    name, tokens, logLikelihood, countWords(text), text.getBytes(StandardCharsets.UTF_8).length);
        }

        public double wordPerplexity() {
            return Math.exp(-logLikelihood / words);
        }

        public double bytePerplexity() {
            return Math.exp(-logLikelihood / bytes);
        }

        public double bitsPerByte() {
            return -logLikelihood / bytes / Math.log(2);
        }
    }

    /// Over all documents: their log-likelihoods and counts are summed before dividing.
    public Document total() {
        return new Document(
                "total",
                documents.stream().mapToLong(Document::tokens).sum(),
                documents.stream().mapToDouble(Document::logLikelihood).sum(),
                documents.stream().mapToLong(Document::words).sum(),
                documents.stream().mapToLong(Document::bytes).sum());
    }

    static long countWords(String text) {
        return WHITESPACE.split(text, -1).length;
    }
}
