package dev.halftone.export;

import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.torch.Device;
import java.nio.file.Path;

/// The values of an artifact as a Hugging Face folder in float.
final class HfExporter implements Exporter {
    @Override
    public void write(Artifact artifact, Path target) {
        Checkpoints.saveValues(target, artifact.model(), artifact.dir(), HfWriter.DEFAULT_SHARD_BYTES);
    }

    @Override
    public CausalLm read(Path written, Artifact artifact) {
        return Checkpoints.loadFloat(written, artifact.dtype(), artifact.dtype(), Device.CPU);
    }
}
