package dev.halftone.recipe;

import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.config.schema.ExportConfig;
import dev.halftone.export.Artifact;
import dev.halftone.export.Exporter;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.ExportFormat;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Tokens;
import dev.halftone.nn.Linear;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;

/// The recipe `export`: an artifact becomes what another program loads, and that is proved to be the
/// artifact before it gets its name.
public final class ExportRecipe {
    private static final String CERTIFICATE = "certificate.json";

    private ExportRecipe() {}

    /// What was written.
    ///
    /// @param output the file or folder; the certificate is in the folder, or beside the file
    public record Result(Path output, ExportCertificate certificate) {}

    /// @throws InputException if the folder is no artifact, the format does not fit its schemes or its
    ///     model, or `output` is taken
    /// @throws RunException if it cannot be written, or its certificate does not hold; then nothing has
    ///     changed
    public static Result run(ExportConfig config, Events events) {
        return run(config, Exporter.of(config.format()), events);
    }

    static Result run(ExportConfig config, Exporter exporter, Events events) {
        Path output = config.output();
        ExportFormat format = config.format();
        format.require(Set.copyOf(
                QuantizedFolders.contents(config.checkpointDir()).schemes().values()));
        checkFree(format, output, config.replace());
        exporter.check(config.checkpointDir());
        events.line("Loading %s".formatted(config.checkpointDir()));
        try (Artifact artifact = Artifact.load(config.checkpointDir())) {
            if (!format.quantizesActivations() && dropActivations(artifact.model())) {
                events.line("%s holds weights alone: inputs that the artifact quantizes stay in float there."
                        .formatted(format.label()));
            }
            ExportCertificate certificate = write(artifact, config, exporter, events);
            events.line("Certified: " + certificate.summary());
            return new Result(output, certificate);
        }
    }

    private static ExportCertificate write(Artifact artifact, ExportConfig config, Exporter exporter, Events events) {
        Path output = config.output();
        ExportCertificate[] certificate = new ExportCertificate[1];
        AtomicFiles.FolderBody body = aside -> {
            events.progress(new Events.Progress("writing", 0, 2, ""));
            exporter.write(artifact, aside);
            events.progress(new Events.Progress("certifying", 1, 2, ""));
            certificate[0] = certify(exporter, artifact, aside, config.format());
            events.progress(new Events.Progress("certifying", 2, 2, ""));
            if (config.format().isFolder()) {
                Json.write(aside.resolve(CERTIFICATE), certificate[0].json());
            }
        };
        if (config.format().isFolder()) {
            AtomicFiles.writeFolder(output, config.replace(), body);
        } else {
            AtomicFiles.writePath(output, body);
            Json.write(output.resolveSibling(output.getFileName() + "." + CERTIFICATE), certificate[0].json());
        }
        return certificate[0];
    }

    private static ExportCertificate certify(Exporter exporter, Artifact artifact, Path written, ExportFormat format) {
        CausalLm expected = artifact.model();
        try (CausalLm actual = exporter.read(written, artifact)) {
            // A format may promise less context than the artifact.
            int positions =
                    Math.min(expected.config().maxPositions(), actual.config().maxPositions());
            Tokens tokens =
                    CertificateText.tokens(artifact.dir(), expected.config().vocabSize(), positions);
            ExportCertificate certificate = ExportCertificate.of(format, expected, actual, tokens);
            if (!certificate.holds()) {
                throw new RunException(
                        "What was written is not the artifact (%s). It was removed; report this with the artifact's config.json."
                                .formatted(certificate.summary()));
            }
            return certificate;
        }
    }

    private static void checkFree(ExportFormat format, Path output, boolean replace) {
        if (format.isFolder()) {
            HfWriter.checkFree(output, replace);
        } else if (Files.isDirectory(output)) {
            throw new InputException(
                    "output: %s is a folder, where a file is to be written. Name a file in it.".formatted(output));
        } else if (Files.exists(output) && !replace) {
            throw new InputException("output: %s exists. Choose another name, or set replace=true.".formatted(output));
        }
    }

    /// Leaves the inputs of all layers in float.
    ///
    /// @return whether there were others
    private static boolean dropActivations(CausalLm model) {
        boolean any = false;
        for (var module : model.namedModules().values()) {
            if (module instanceof Linear linear && linear.inputTransform() != null) {
                linear.setInputTransform(null);
                any = true;
            }
        }
        return any;
    }
}
