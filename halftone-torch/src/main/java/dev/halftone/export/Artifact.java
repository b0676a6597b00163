package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.checkpoint.QuantizedFolders.Contents;
import dev.halftone.model.CausalLm;
import dev.halftone.torch.Device;
import java.nio.file.Path;

/// What is exported.
///
/// @param dir its folder
/// @param contents what the folder says of it
/// @param model loaded from there on the CPU, to compute in the dtype of the weights that were quantized
public record Artifact(Path dir, Contents contents, CausalLm model) implements AutoCloseable {
    /// @throws dev.halftone.InputException if the folder is no artifact
    public static Artifact load(Path dir) {
        Contents contents = QuantizedFolders.contents(dir);
        return new Artifact(dir, contents, Checkpoints.load(dir, contents.weightDtype(), Device.CPU));
    }

    /// Type of the weights that were quantized, and of all that stayed in float.
    public DType dtype() {
        return contents.weightDtype();
    }

    @Override
    public void close() {
        model.close();
    }
}
