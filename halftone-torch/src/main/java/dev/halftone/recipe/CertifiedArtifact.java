package dev.halftone.recipe;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.qat.Qat;
import dev.halftone.tokenizer.Tokenizer;
import dev.halftone.tokenizer.Tokenizers;
import dev.halftone.torch.Device;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;

/// The end of quantization, trained or not: a prepared model becomes a folder, and the folder is proved to be the
/// model.
///
/// What is written is loaded afresh and compared with the prepared model in memory ([Certificate]) before it gets
/// its name. One that fails is set aside as `<name>.failed-certificate`, to be looked into, and is never found
/// under the name that was asked for.
final class CertifiedArtifact {
    /// Positions that are compared, at most.
    private static final int MAX_TOKENS = 256;

    /// From George Washington's second address to Congress, 1790, in the public domain.
    private static final String TEXT = "certificate.txt";

    private CertifiedArtifact() {}

    /// Converts `prepared`, writes it to `dir` and certifies it. Afterwards the model is converted.
    ///
    /// @param original the folder that the model was loaded from
    /// @param dtype what its float weights were loaded as
    /// @param computeDtype what its products run in
    /// @throws InputException if `dir` is there and not empty
    /// @throws RunException if the certificate does not hold
    static Certificate write(
            Path dir, CausalLm prepared, Path original, DType dtype, DType computeDtype, Device device, Events events) {
        HfWriter.checkFree(dir, false);
        Tokens tokens = tokens(
                original, prepared.config().vocabSize(), prepared.config().maxPositions());
        Qat.setActive(prepared, true);
        float[] trained = Certificate.logits(prepared, tokens);
        Qat.convert(prepared);
        Path uncertified = dir.resolveSibling(dir.getFileName() + ".uncertified");
        AtomicFiles.deleteFolder(uncertified);
        events.progress(new Events.Progress("writing", 0, 2, ""));
        QuantizedFolders.save(uncertified, prepared, original, HfWriter.DEFAULT_SHARD_BYTES);
        events.progress(new Events.Progress("certifying", 1, 2, ""));
        Certificate certificate;
        try (CausalLm loaded = Checkpoints.load(uncertified, dtype, computeDtype, device)) {
            certificate = Certificate.of(trained, prepared, loaded, tokens);
        }
        Json.write(uncertified.resolve("certificate.json"), certificate.json());
        if (!certificate.holds()) {
            Path failed = dir.resolveSibling(dir.getFileName() + ".failed-certificate");
            AtomicFiles.deleteFolder(failed);
            rename(uncertified, failed);
            throw new RunException(
                    "What was written is not what was trained (%s). It was set aside as %s; report it with its certificate.json."
                            .formatted(certificate.summary(), failed));
        }
        rename(uncertified, dir);
        events.progress(new Events.Progress("certifying", 2, 2, ""));
        return certificate;
    }

    private static void rename(Path from, Path to) {
        try {
            Files.deleteIfExists(to);
            Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new RunException(
                    "%s could not be renamed to %s (%s). Check the permissions there."
                            .formatted(from, to, e.getMessage()),
                    e);
        }
    }

    /// Real text, or, for a model without a tokenizer, ids spread over its vocabulary.
    private static Tokens tokens(Path model, int vocabulary, int maxPositions) {
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
        try (InputStream in = Objects.requireNonNull(CertifiedArtifact.class.getResourceAsStream(TEXT))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new RunException("The text of the certificate cannot be read. Build Halftone again.", e);
        }
    }
}
