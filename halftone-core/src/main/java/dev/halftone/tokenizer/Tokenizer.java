package dev.halftone.tokenizer;

import java.util.OptionalInt;
import java.util.Set;

/// Turns text into token ids and back. Safe for use by several threads at once; close it when done, for it holds
/// native memory.
public interface Tokenizer extends AutoCloseable {
    /// The ids of a text.
    ///
    /// Special tokens written in the text (`<|im_end|>`) become their one id either way.
    ///
    /// @param addSpecialTokens whether to add what the tokenizer's post-processor puts around a text, such as a
    ///     leading begin-of-sequence token; templates that write these tokens themselves need `false`
    default int[] encode(String text, boolean addSpecialTokens) {
        return encodeWithOffsets(text, addSpecialTokens).ids();
    }

    /// The ids of a text with the place of each in it.
    Encoding encodeWithOffsets(String text, boolean addSpecialTokens);

    /// The text of a sequence of ids. Ids that the vocabulary lacks give no text (a model's embedding table is
    /// often longer than the vocabulary), invalid UTF-8 gives U+FFFD.
    ///
    /// @param skipSpecialTokens whether special tokens are left out
    String decode(int[] ids, boolean skipSpecialTokens);

    /// One more than the largest id.
    int vocabSize();

    /// The id of the begin-of-sequence token, if the model has one. Having one does not mean that texts start
    /// with it: see [#encode].
    OptionalInt bosId();

    /// The id of the tokenizer's end-of-sequence token, which ends a document in training data.
    OptionalInt eosId();

    /// All ids that end a generation: [#eosId] and those that `generation_config.json` lists. May be empty.
    Set<Integer> eosIds();

    /// Whether this id stands for one raw byte (`<0x0A>`), which only forms a character together with its
    /// neighbours.
    boolean isByte(int id);

    /// A decoder for ids that arrive one at a time.
    default StreamingDecoder streamingDecoder(boolean skipSpecialTokens) {
        return new StreamingDecoder(this, skipSpecialTokens);
    }

    @Override
    void close();
}
