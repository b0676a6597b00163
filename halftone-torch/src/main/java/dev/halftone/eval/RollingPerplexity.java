package dev.halftone.eval;

import dev.halftone.InputException;
import dev.halftone.eval.Perplexity.Document;
import dev.halftone.eval.RollingWindows.Window;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Targets;
import dev.halftone.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/// Computes the [Perplexity] of a model on files, each one document.
///
/// Text is taken as it stands, without a detokenizer, and encoded without special tokens. The prefix of the
/// first window is the begin-of-sequence token, or the end-of-sequence token of a model that has no other.
/// Logits are widened to float32 before the softmax, whatever the model computes in; log-likelihoods are summed
/// in float64.
public final class RollingPerplexity {
    /// Told after each window how many of all are done.
    public interface Progress {
        void windows(int done, int total);
    }

    private record Text(String name, String text, int tokens, List<Window> windows) {}

    private RollingPerplexity() {}

    /// @param maxLength tokens that the model reads at once
    /// @throws InputException if a file cannot be read, is not UTF-8 or is empty
    public static Perplexity evaluate(
            CausalLm model, Tokenizer tokenizer, List<Path> files, int maxLength, Progress progress) {
        int prefix = tokenizer
                .bosId()
                .orElseGet(
                        () -> tokenizer
                                .eosId()
                                .orElseThrow(
                                        () -> new InputException(
                                                "The tokenizer has neither a begin- nor an end-of-sequence token, and"
                                                        + " perplexity needs one before the first token. Name one in tokenizer_config.json.")));
        List<Text> texts = new ArrayList<>();
        for (Path file : files) {
            String text = read(file);
            int[] tokens = tokenizer.encode(text, false);
            texts.add(new Text(
                    file.getFileName().toString(), text, tokens.length, RollingWindows.of(tokens, prefix, maxLength)));
        }
        int total = texts.stream().mapToInt(t -> t.windows.size()).sum();
        int done = 0;
        List<Document> documents = new ArrayList<>();
        for (Text t : texts) {
            double logLikelihood = 0;
            for (Window window : t.windows) {
                logLikelihood += logLikelihood(model, window);
                progress.windows(++done, total);
            }
            documents.add(Document.of(t.name, t.text, t.tokens, logLikelihood));
        }
        return new Perplexity(documents);
    }

    private static double logLikelihood(CausalLm model, Window window) {
        int first = window.input().length - window.targets().length;
        int[] rows = IntStream.range(first, window.input().length).toArray();
        double sum = 0;
        for (float loss : model.losses(Tokens.of(window.input()), new Targets(rows, window.targets()))) {
            sum -= loss;
        }
        return sum;
    }

    private static String read(Path file) {
        String text;
        try {
            text = Files.readString(file);
        } catch (CharacterCodingException e) {
            throw new InputException("%s is not UTF-8 text. Convert it first.".formatted(file), e);
        } catch (IOException e) {
            throw new InputException(
                    "%s cannot be read (%s). Check data_files."
                            .formatted(file, e.getClass().getSimpleName()),
                    e);
        }
        if (text.isEmpty()) {
            throw new InputException("%s is empty. Remove it from data_files.".formatted(file));
        }
        return text;
    }
}
