package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.compressed.CompressionFormat;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.kernel.Quantized;
import dev.halftone.model.HfSource;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.Weight;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Grid;
import dev.halftone.quant.InputScale;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;

/// The weights of an artifact: codes and scales where a layer is quantized, else what the folder's tensors hold.
final class ArtifactSource implements ParameterSource {
    private static final long[] SINGLE = {1};

    private final HfFolder folder;
    private final HfSource floats;
    private final DType computeDtype;
    private final Device device;
    private final Map<String, StoredLayer> layers;
    private final List<String> taken = new ArrayList<>();

    /// @param layers those that are quantized, by their paths
    ArtifactSource(HfFolder folder, Map<String, StoredLayer> layers, DType dtype, DType computeDtype, Device device) {
        this.folder = folder;
        this.floats = new HfSource(folder, dtype, device);
        this.computeDtype = computeDtype;
        this.device = device;
        this.layers = layers;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        return floats.parameter(name, shape);
    }

    @Override
    public Weight weight(String name, long... shape) {
        StoredLayer layer = layers.get(name.substring(0, Math.max(0, name.lastIndexOf('.'))));
        if (layer == null) {
            return parameter(name, shape);
        }
        CompressionFormat format = layer.format();
        Grid grid = layer.scheme().weights(layer.dtype());
        int group = grid.granularity().groupSize(shape[1]);
        if (shape[1] % group != 0) {
            throw new InputException(
                    "%s: groups of %d do not divide the %d columns of '%s'. Quantize the float model again."
                            .formatted(folder.dir(), group, shape[1], name));
        }
        try (Scope _ = Scope.open()) {
            if (format == CompressionFormat.PACK) {
                requireShape(name, shape);
            }
            Tensor codes = read(name + format.suffix(), format.codesDtype(), format.codesShape(shape, grid));
            Tensor scale = readScale(name + QuantizedFolders.SCALE, layer, shape, grid);
            return new QuantizedWeight(
                    layer.scheme(),
                    layer.dtype(),
                    computeDtype,
                    new Quantized(
                            Ops.to(WeightTensors.codesOf(format, codes, shape, grid), device),
                            Ops.to(WeightTensors.scaleOf(format, scale, shape, grid), device),
                            grid.zeroPointDtype() == null ? null : Ops.to(zeroPoint(name, format, shape, grid), device),
                            grid.wholeTensor()
                                    ? Ops.to(read(name + QuantizedFolders.TENSOR_SCALE, DType.F32, 1), device)
                                    : null));
        }
    }

    private void requireShape(String name, long[] shape) {
        long[] stored = Torch.longs(read(name + QuantizedFolders.SHAPE, DType.I64, 2));
        if (!Arrays.equals(stored, shape)) {
            throw mismatch(name, Arrays.toString(stored), Arrays.toString(shape));
        }
    }

    /// The scales of static activations, by layer.
    Map<String, InputScale> inputScales() {
        Map<String, InputScale> scales = new HashMap<>();
        layers.forEach((layer, stored) -> {
            String name = layer + InputScales.SCALE;
            if (stored.scheme().staticActivations() && folder.has(name)) {
                try (Scope _ = Scope.open()) {
                    float scale = Torch.floats(read(name, folder.info(name).dtype(), 1))[0];
                    String zeroPoint = layer + InputScales.ZERO_POINT;
                    long zero = folder.has(zeroPoint) ? Torch.longs(read(zeroPoint, DType.I8, 1))[0] : 0;
                    scales.put(layer, new InputScale(scale, Math.toIntExact(zero)));
                }
            }
        });
        return scales;
    }

    /// Scales in the type that the scheme has them in, which other tools may not store: theirs have the type of the
    /// weight.
    private Tensor readScale(String name, StoredLayer layer, long[] shape, Grid grid) {
        DType dtype = layer.format().scaleDtype(grid);
        boolean converted = folder.info(name).dtype() == layer.dtype() && grid.scaleDtype() == DType.F32;
        Tensor stored =
                read(name, converted ? layer.dtype() : dtype, layer.format().scaleShape(shape, grid));
        return Ops.to(stored, dtype);
    }

    private Tensor zeroPoint(String weight, CompressionFormat format, long[] shape, Grid grid) {
        DType dtype = format.packsZeroPoint(grid) ? DType.I32 : Objects.requireNonNull(grid.zeroPointDtype());
        Tensor stored = read(weight + QuantizedFolders.ZERO_POINT, dtype, format.zeroPointShape(shape, grid));
        return WeightTensors.zeroPointOf(format, stored, shape, grid);
    }

    /// @param shape of the tensor; one with a single value may have it in any number of dimensions
    private Tensor read(String name, DType dtype, long... shape) {
        TensorInfo info = folder.info(name);
        boolean single = Arrays.equals(shape, SINGLE) && info.elements() == 1;
        if (info.dtype() != dtype || !(single || Arrays.equals(info.shape(), shape))) {
            throw mismatch(name, info.dtype() + Arrays.toString(info.shape()), dtype + Arrays.toString(shape));
        }
        taken.add(name);
        return Torch.of(folder.data(name), dtype, shape);
    }

    private InputException mismatch(String name, String is, String expected) {
        return new InputException("%s: '%s' is %s, but config.json asks for %s. Take both from the same place."
                .formatted(folder.dir(), name, is, expected));
    }

    /// @throws InputException if the folder holds tensors that the model did not ask for
    void requireAllTaken() {
        floats.requireAllTaken(taken);
    }
}
