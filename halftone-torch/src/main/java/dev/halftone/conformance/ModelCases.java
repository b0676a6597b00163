package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.conformance.CaseResult.Status;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.torch.Device;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/// Golden models: folders with `config.json`, `model.safetensors`, and in `io.safetensors` what transformers computes
/// with them (see [ModelCase]).
public final class ModelCases {
    static final String EXPECTED = "io.safetensors";

    private ModelCases() {}

    /// Runs one golden model, or a folder of them by name.
    ///
    /// @throws InputException if there is none in `folder`
    public static List<CaseResult> run(Path folder) {
        if (isCase(folder)) {
            return List.of(runCase(folder));
        }
        List<Path> cases;
        try (Stream<Path> children = Files.list(folder)) {
            cases = children.filter(ModelCases::isCase).sorted().toList();
        } catch (IOException e) {
            throw new RunException("%s could not be read (%s). Check the path.".formatted(folder, e.getMessage()), e);
        }
        if (cases.isEmpty()) {
            throw new InputException(
                    "%s holds no golden model: no folder in it has a config.json and an %s. Check the path."
                            .formatted(folder, EXPECTED));
        }
        return cases.stream().map(ModelCases::runCase).toList();
    }

    private static boolean isCase(Path folder) {
        return Files.exists(folder.resolve("config.json")) && Files.exists(folder.resolve(EXPECTED));
    }

    private static CaseResult runCase(Path folder) {
        String name = Objects.toString(folder.toAbsolutePath().normalize().getFileName());
        try (HfFolder files = HfFolder.open(folder)) {
            if (!Models.supports(files.config())) {
                String type = files.config().path("model_type").asString("");
                return new CaseResult(
                        name, Status.UNSUPPORTED, "model_type '%s' is not supported yet".formatted(type), 0);
            }
            CausalLm model = Models.load(files, DType.F32, Device.CPU);
            return new ModelCase(name, model, folder.resolve(EXPECTED)).run();
        }
    }
}
