package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.format.torchao.TensorClass;
import dev.halftone.format.torchao.TensorClass.Part;
import dev.halftone.format.torchao.Torchao;
import dev.halftone.kernel.Quantized;
import dev.halftone.model.HfSource;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.Weight;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Grid;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/// The weights of a folder of torchao's tensors, as codes and scales of the schemes that it was written from.
final class TorchaoSource implements ParameterSource {
    private final HfFolder folder;
    private final HfSource floats;
    private final Map<String, StoredLayer> layers;
    private final DType computeDtype;
    private final Device device;
    private final List<String> taken = new ArrayList<>();

    /// @param layers those that are quantized, by their paths
    TorchaoSource(HfFolder folder, Map<String, StoredLayer> layers, DType dtype, DType computeDtype, Device device) {
        this.folder = folder;
        this.floats = new HfSource(folder, dtype, device);
        this.layers = layers;
        this.computeDtype = computeDtype;
        this.device = device;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        return floats.parameter(name, shape);
    }

    @Override
    public Weight weight(String name, long... shape) {
        String path = name.substring(0, Math.max(0, name.lastIndexOf('.')));
        StoredLayer layer = layers.get(path);
        if (layer == null) {
            return parameter(name, shape);
        }
        String prefix = path + Torchao.PREFIX;
        TensorClass type = Torchao.tensorClass(layer.scheme());
        Grid grid = layer.scheme().weights(layer.dtype());
        try (Scope _ = Scope.open()) {
            Quantized q = TorchaoTensors.of(type, part -> read(prefix, part), grid, shape);
            String said = folder.metadata(prefix + Torchao.CODES).getOrDefault(name, "{}");
            String expected =
                    Torchao.tensor(layer.scheme(), layer.dtype(), shape).toString();
            if (q == null || !said.equals(expected)) {
                throw mismatch(name, "it is no tensor of " + layer.scheme().label());
            }
            Tensor zeroPoint = q.zeroPoint();
            return new QuantizedWeight(
                    layer.scheme(),
                    layer.dtype(),
                    computeDtype,
                    new Quantized(
                            Ops.to(q.codes(), device),
                            Ops.to(q.scale(), device),
                            zeroPoint == null ? null : Ops.to(zeroPoint, device),
                            null));
        }
    }

    private Tensor read(String prefix, Part part) {
        String name = prefix + part.name();
        TensorInfo info = folder.info(name);
        if (info.dtype() != part.dtype() || !Arrays.equals(info.shape(), part.shape())) {
            throw mismatch(name, "config.json asks for %s%s".formatted(part.dtype(), Arrays.toString(part.shape())));
        }
        taken.add(name);
        return Torch.of(folder.data(name), part.dtype(), part.shape());
    }

    private InputException mismatch(String name, String why) {
        return new InputException("%s: '%s' is damaged, or another model's: %s. Export the artifact again."
                .formatted(folder.dir(), name, why));
    }

    /// @throws InputException if the folder holds tensors that the model did not ask for
    void requireAllTaken() {
        floats.requireAllTaken(taken);
    }
}
