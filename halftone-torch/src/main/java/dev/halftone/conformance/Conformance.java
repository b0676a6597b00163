package dev.halftone.conformance;

import dev.halftone.InputException;
import dev.halftone.kernel.Kernels;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/// Runs golden cases on this machine: whether Halftone computes here what the libraries that it follows compute.
public final class Conformance {
    private Conformance() {}

    /// Runs a folder of quantization cases ([QuantCases]), a golden model or a folder of models ([ModelCases]).
    ///
    /// @param kernels which implementation of the quantization arithmetic; null for the fastest on this machine
    /// @throws InputException if the folder is none of these, or not whole
    public static ConformanceReport run(Path folder, @Nullable Kernels kernels) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(
                    "%s is not a folder. Give the folder that holds the golden cases.".formatted(folder));
        }
        return new ConformanceReport(
                Files.exists(folder.resolve(QuantCases.INDEX))
                        ? QuantCases.run(folder, kernels)
                        : ModelCases.run(folder));
    }
}
