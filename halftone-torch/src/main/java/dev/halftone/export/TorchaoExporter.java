package dev.halftone.export;

import dev.halftone.checkpoint.Checkpoints;
import dev.halftone.checkpoint.TorchaoFolders;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.torch.Device;
import java.nio.file.Path;

/// An artifact as torchao's tensors, which transformers loads.
final class TorchaoExporter implements Exporter {
    @Override
    public void write(Artifact artifact, Path target) {
        TorchaoFolders.save(target, artifact.model(), artifact.dir(), HfWriter.DEFAULT_SHARD_BYTES);
    }

    @Override
    public CausalLm read(Path written, Artifact artifact) {
        return Checkpoints.load(written, artifact.dtype(), Device.CPU);
    }
}
