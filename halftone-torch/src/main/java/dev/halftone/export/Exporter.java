package dev.halftone.export;

import dev.halftone.format.ExportFormat;
import dev.halftone.model.CausalLm;
import java.nio.file.Path;

/// How an artifact is written in an [ExportFormat], and read again.
///
/// The recipe `export` asks [ExportFormat#require] and [#check] before it loads a weight, lets [#write] write
/// beside the place that was asked for, compares what [#read] finds there with the artifact (codes, scales, values,
/// outputs), and only then renames it.
public interface Exporter {
    /// Looks at what stands beside the weights.
    ///
    /// @param artifact its folder
    /// @throws dev.halftone.InputException if the format cannot hold that
    default void check(Path artifact) {}

    /// Writes the artifact's own codes and scales; none is computed anew.
    ///
    /// @param target a file or folder that is not there
    /// @throws dev.halftone.InputException before anything is written, if the format cannot hold the model
    ///     or one of its scales
    /// @throws dev.halftone.RunException if it cannot be written
    void write(Artifact artifact, Path target);

    /// Reads what [#write] wrote, from the disk alone but for the schemes and the dtype, which the artifact
    /// tells.
    ///
    /// @return a model that computes in [Artifact#dtype()], whose layers hold codes and scales where the
    ///     format does
    CausalLm read(Path written, Artifact artifact);

    /// That of a format.
    static Exporter of(ExportFormat format) {
        return switch (format) {
            case GGUF -> new GgufExporter();
            case COMPRESSED_TENSORS -> new CompressedTensorsExporter();
            case ONNX -> new OnnxExporter();
            case TORCHAO -> new TorchaoExporter();
            case HF -> new HfExporter();
        };
    }
}
