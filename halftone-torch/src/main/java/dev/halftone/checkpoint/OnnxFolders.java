package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.format.Json;
import dev.halftone.format.onnx.OnnxFile;
import dev.halftone.model.CausalLm;
import dev.halftone.model.Models;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.quant.InputScale;
import dev.halftone.torch.Device;
import java.nio.file.Path;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/// Models that `export` wrote for onnxruntime: the weights are in `model.onnx.data`, and `config.json` says,
/// as an artifact's does, what was quantized to which scheme.
public final class OnnxFolders {
    private OnnxFolders() {}

    /// Whether a folder is one.
    static boolean isOne(Path dir) {
        return OnnxFile.isOne(dir);
    }

    /// Writes `config.json`: the artifact's, less what other tools would look for its tensors by.
    ///
    /// @param folder one that exists
    public static void writeConfig(Path folder, Path artifact) {
        ObjectNode config = Json.readObject(artifact.resolve("config.json"));
        config.remove(QuantizedFolders.CONFIG_KEY);
        Json.write(folder.resolve("config.json"), config);
    }

    /// Loads a model, from the disk alone.
    ///
    /// @throws dev.halftone.InputException if a file is missing or damaged, or its parts don't fit
    public static CausalLm load(Path dir, DType dtype, DType computeDtype, Device device) {
        ObjectNode config = Json.readObject(dir.resolve("config.json"));
        try (OnnxFile file = OnnxFile.open(dir)) {
            OnnxSource source =
                    new OnnxSource(dir, file, QuantizedFolders.layers(config, dir), dtype, computeDtype, device);
            CausalLm model = Models.build(config, source);
            Map<String, InputScale> inputScales = source.inputScales();
            source.requireAllTaken();
            model.setComputeDtype(computeDtype);
            Qat.quantizeActivations(model);
            InputCalibration.restore(model, inputScales);
            return model;
        }
    }
}
