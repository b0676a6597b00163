package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.Json;
import dev.halftone.format.hf.HfFolder;
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
import org.jspecify.annotations.Nullable;

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
        Grid grid = layer.scheme().weights(layer.dtype());
        long[] blocks = grid.granularity().scaleShape(shape);
        String prefix = path + Torchao.PREFIX;
        try (Scope _ = Scope.open()) {
            Tensor codes = read(prefix + Torchao.CODES, DType.I8, shape);
            String said = folder.metadata(prefix + Torchao.CODES).getOrDefault(name, "{}");
            if (!Json.parseObject(said).equals(Torchao.tensor(layer.scheme(), layer.dtype(), shape[1]))) {
                throw mismatch(
                        name,
                        "its metadata describes another tensor than one of "
                                + layer.scheme().label());
            }
            Tensor scale = read(prefix + Torchao.SCALE, grid.scaleDtype(), blocks);
            Tensor zeroPoint = read(prefix + Torchao.ZERO_POINT, DType.I8, blocks);
            return new QuantizedWeight(
                    layer.scheme(),
                    layer.dtype(),
                    computeDtype,
                    new Quantized(
                            Ops.to(codes, device),
                            Ops.to(scale, device),
                            zeroPoint(name, zeroPoint, grid.zeroPointDtype()),
                            null));
        }
    }

    /// @param dtype null for a grid without zero points, whose are all stored as 0
    private @Nullable Tensor zeroPoint(String name, Tensor stored, @Nullable DType dtype) {
        if (dtype != null) {
            return Ops.to(Ops.to(stored, dtype), device);
        }
        if (Ops.to(stored, DType.BOOL).any().item_bool()) {
            throw mismatch(name, "its scheme has no zero points, and the folder has some");
        }
        return null;
    }

    private Tensor read(String name, DType dtype, long... shape) {
        if (folder.info(name).dtype() != dtype
                || !Arrays.equals(folder.info(name).shape(), shape)) {
            throw mismatch(name, "config.json asks for %s%s".formatted(dtype, Arrays.toString(shape)));
        }
        taken.add(name);
        return Torch.of(folder.data(name), dtype, shape);
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
