package dev.halftone.data;

import dev.halftone.InputException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;

/// Samples in a fixed order.
public interface Dataset {
    int size();

    Sample get(int index);

    static Dataset of(List<Sample> samples) {
        List<Sample> copy = List.copyOf(samples);
        return new Dataset() {
            @Override
            public int size() {
                return copy.size();
            }

            @Override
            public Sample get(int index) {
                return copy.get(index);
            }
        };
    }

    /// The sha256 of all ids, labels and document lengths: two runs with the same one saw the same data.
    ///
    /// Each sample contributes its length, its number of documents, and then these three arrays, as little-endian
    /// int32.
    default String fingerprint() {
        MessageDigest digest = sha256();
        for (int i = 0; i < size(); i++) {
            Sample sample = get(i);
            int[] documents = sample.documentLengths();
            ByteBuffer bytes = ByteBuffer.allocate(Integer.BYTES * (2 + 2 * sample.length() + documents.length))
                    .order(ByteOrder.LITTLE_ENDIAN);
            bytes.asIntBuffer()
                    .put(sample.length())
                    .put(documents.length)
                    .put(sample.inputIds())
                    .put(sample.labels())
                    .put(documents);
            digest.update(bytes);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /// Checks that a model with this many embeddings can read the data.
    ///
    /// @throws InputException if an id lies outside of the vocabulary
    default void checkIds(int vocabSize) {
        for (int i = 0; i < size(); i++) {
            Sample sample = get(i);
            for (int k = 0; k < sample.length(); k++) {
                int id = sample.inputIds()[k];
                int label = sample.labels()[k];
                boolean known = id >= 0 && id < vocabSize;
                if (!known || (label != Sample.IGNORED && (label < 0 || label >= vocabSize))) {
                    throw new InputException(
                            ("sample %d of the data has the token id %d, and the model's vocabulary has %d entries. Use"
                                            + " the tokenizer that belongs to the model.")
                                    .formatted(i + 1, known ? label : id, vocabSize));
                }
            }
        }
    }
}
