package dev.halftone.export;

import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.QuantizedFolders;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.torch.Device;
import java.nio.file.Path;

/// An artifact as compressed-tensors has it. An artifact whose schemes fit is stored so from the start: this refuses
/// others, and writes anew those of older versions.
final class CompressedTensorsExporter implements Exporter {
    @Override
    public void write(Artifact artifact, Path target) {
        QuantizedFolders.save(target, artifact.model(), artifact.dir(), HfWriter.DEFAULT_SHARD_BYTES);
    }

    @Override
    public CausalLm read(Path written, Artifact artifact) {
        return Checkpoints.load(written, artifact.dtype(), Device.CPU);
    }
}
