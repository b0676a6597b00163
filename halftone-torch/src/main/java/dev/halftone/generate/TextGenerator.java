package dev.halftone.generate;

import dev.halftone.tokenizer.StreamingDecoder;
import dev.halftone.tokenizer.Tokenizer;
import java.util.function.Consumer;

/// A [Generator] whose tokens come out as text.
public final class TextGenerator {
    private final Generator generator;
    private final Tokenizer tokenizer;

    public TextGenerator(Generator generator, Tokenizer tokenizer) {
        this.generator = generator;
        this.tokenizer = tokenizer;
    }

    /// @param prompt token ids: an encoded text, or a conversation rendered by a chat template
    /// @param onText called with each piece of text as soon as it is certain, never with half a character; special
    ///     tokens are left out
    /// @throws dev.halftone.InputException as [Generator#generate]
    public Generation generate(int[] prompt, int maxNewTokens, Consumer<String> onText) {
        StreamingDecoder decoder = tokenizer.streamingDecoder(true);
        Generation generation = generator.generate(prompt, maxNewTokens, token -> give(decoder.add(token), onText));
        give(decoder.finish(), onText);
        return generation;
    }

    private static void give(String piece, Consumer<String> onText) {
        if (!piece.isEmpty()) {
            onText.accept(piece);
        }
    }
}
