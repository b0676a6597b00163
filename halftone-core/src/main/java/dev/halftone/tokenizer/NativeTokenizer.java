package dev.halftone.tokenizer;

import ai.djl.engine.EngineException;
import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import ai.djl.huggingface.tokenizers.jni.CharSpan;
import dev.halftone.InputException;
import dev.halftone.RunException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// Hugging Face's Rust tokenizer through DJL's binding, made by [Tokenizers] only.
///
/// The native tokenizer is safe for concurrent reads; the lock only keeps `close` from freeing it under a reader.
final class NativeTokenizer implements Tokenizer {
    /// The binding's defaults pad and truncate to 512 tokens.
    private static final Map<String, String> OPTIONS = Map.of("padding", "false", "truncation", "false");

    private final HuggingFaceTokenizer tokenizer;
    private final Vocabulary vocabulary;
    private final OptionalInt bosId;
    private final OptionalInt eosId;
    private final Set<Integer> eosIds;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private boolean closed;

    private NativeTokenizer(
            HuggingFaceTokenizer tokenizer,
            Vocabulary vocabulary,
            OptionalInt bosId,
            OptionalInt eosId,
            Set<Integer> eosIds) {
        this.tokenizer = tokenizer;
        this.vocabulary = vocabulary;
        this.bosId = bosId;
        this.eosId = eosId;
        this.eosIds = Collections.unmodifiableSet(new LinkedHashSet<>(eosIds));
    }

    /// @throws InputException if the library refuses the file
    static NativeTokenizer load(
            Path file, Vocabulary vocabulary, OptionalInt bosId, OptionalInt eosId, Set<Integer> eosIds) {
        try (InputStream json = Files.newInputStream(file)) {
            return new NativeTokenizer(
                    HuggingFaceTokenizer.newInstance(json, OPTIONS), vocabulary, bosId, eosId, eosIds);
        } catch (IOException e) {
            throw new RunException("%s cannot be read (%s). Check its permissions.".formatted(file, e.getMessage()), e);
        } catch (EngineException e) {
            throw new RunException(
                    ("Hugging Face's tokenizers library does not load on this machine (%s). It is unpacked to ~/.djl.ai:"
                                    + " make that writable, or set DJL_CACHE_DIR to a folder that is.")
                            .formatted(rootMessage(e)),
                    e);
        } catch (RuntimeException e) {
            // The binding throws bare RuntimeExceptions with the Rust library's message.
            throw new InputException(
                    ("%s is not a tokenizer that Hugging Face's tokenizers library reads (%s). Download it again, or save"
                                    + " it again with a current version of transformers.")
                            .formatted(file, e.getMessage()),
                    e);
        }
    }

    private static String rootMessage(Throwable e) {
        Throwable cause = e.getCause();
        return cause == null ? String.valueOf(e.getMessage()) : rootMessage(cause);
    }

    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
        return toInts(encodeNatively(text, addSpecialTokens).getIds());
    }

    @Override
    public Encoding encodeWithOffsets(String text, boolean addSpecialTokens) {
        ai.djl.huggingface.tokenizers.Encoding encoding = encodeNatively(text, addSpecialTokens);
        int[] ids = toInts(encoding.getIds());
        CharSpan[] spans = encoding.getCharTokenSpans();
        int[] starts = new int[ids.length];
        int[] ends = new int[ids.length];
        int[] utf16 = utf16Offsets(text);
        for (int i = 0; i < ids.length; i++) {
            CharSpan span = spans[i];
            if (span != null) {
                starts[i] = utf16[span.getStart()];
                ends[i] = utf16[span.getEnd()];
            }
        }
        return new Encoding(ids, starts, ends);
    }

    private ai.djl.huggingface.tokenizers.Encoding encodeNatively(String text, boolean addSpecialTokens) {
        String valid = wellFormed(text);
        lock.readLock().lock();
        try {
            checkOpen();
            return tokenizer.encode(valid, addSpecialTokens, false);
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public String decode(int[] ids, boolean skipSpecialTokens) {
        long[] longs = Arrays.stream(ids).asLongStream().toArray();
        lock.readLock().lock();
        try {
            checkOpen();
            return tokenizer.decode(longs, skipSpecialTokens);
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    public int vocabSize() {
        return vocabulary.size();
    }

    @Override
    public OptionalInt bosId() {
        return bosId;
    }

    @Override
    public OptionalInt eosId() {
        return eosId;
    }

    @Override
    public Set<Integer> eosIds() {
        return eosIds;
    }

    @Override
    public boolean isByte(int id) {
        return id >= 0 && vocabulary.bytes().get(id);
    }

    @Override
    public void close() {
        lock.writeLock().lock();
        try {
            if (!closed) {
                closed = true;
                tokenizer.close();
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the tokenizer is closed");
        }
    }

    private static int[] toInts(long[] ids) {
        int[] ints = new int[ids.length];
        for (int i = 0; i < ids.length; i++) {
            ints[i] = Math.toIntExact(ids[i]);
        }
        return ints;
    }

    /// Half a surrogate pair has no UTF-8: it becomes U+FFFD, as when Java writes it to a file as `?`, but
    /// recognisable.
    private static String wellFormed(String text) {
        StringBuilder fixed = null;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (Character.isHighSurrogate(c) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1))) {
                i++;
            } else if (Character.isSurrogate(c)) {
                fixed = fixed == null ? new StringBuilder(text) : fixed;
                fixed.setCharAt(i, '\uFFFD');
            }
        }
        return fixed == null ? text : fixed.toString();
    }

    /// The UTF-16 offset of each code point, and of the end: the library counts code points.
    private static int[] utf16Offsets(String text) {
        int[] offsets = new int[text.codePointCount(0, text.length()) + 1];
        int at = 0;
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = at;
            if (at < text.length()) {
                at += Character.charCount(text.codePointAt(at));
            }
        }
        return offsets;
    }
}
