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
import dev.halftone.torch.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/// The end of quantization, trained or not: a prepared model becomes a folder, and the folder is proved to be the
/// model.
///
/// What is written is loaded afresh and compared with the prepared model in memory ([Certificate]) before it gets
/// its name. One that fails is set aside as `<name>.failed-certificate`, to be looked into, and is never found
/// under the name that was asked for.
final class CertifiedArtifact {
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
        Tokens tokens = CertificateText.tokens(
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
}
