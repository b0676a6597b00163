package dev.halftone.export;

import dev.halftone.RunException;
import dev.halftone.Version;
import dev.halftone.checkpoint.OnnxFolders;
import dev.halftone.format.AtomicFiles;
import dev.halftone.format.hf.HfWriter;
import dev.halftone.format.onnx.OnnxFile;
import dev.halftone.format.onnx.OnnxGraph;
import dev.halftone.format.onnx.OnnxWriter;
import dev.halftone.model.CausalLm;
import dev.halftone.torch.Device;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/// An artifact as a folder for onnxruntime.
final class OnnxExporter implements Exporter {
    @Override
    public void write(Artifact artifact, Path target) {
        OnnxGraph graph = OnnxDecoder.of(artifact.model());
        AtomicFiles.writeFolder(target, false, folder -> {
            OnnxWriter.writeInto(folder, graph, bytes(graph));
            OnnxFolders.writeConfig(folder, artifact.dir());
            HfWriter.copySideFiles(artifact.dir(), folder);
        });
    }

    /// {@inheritDoc}
    ///
    /// The codes, scales and floats are read from the file of weights, as the graph says where they lie. All
    /// else that the graph says must be, byte for byte, what is written for the model that was read.
    @Override
    public CausalLm read(Path written, Artifact artifact) {
        CausalLm model = OnnxFolders.load(written, artifact.dtype(), artifact.dtype(), Device.CPU);
        try (OnnxFile file = OnnxFile.open(written)) {
            if (file.model().mismatch(MemorySegment.ofArray(bytes(OnnxDecoder.of(model)))) >= 0) {
                throw new RunException("%s: the graph is not the artifact's. Report it.".formatted(written));
            }
        }
        return model;
    }

    private static byte[] bytes(OnnxGraph graph) {
        return graph.toBytes("halftone", Version.number());
    }
}
