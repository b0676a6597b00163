package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.checkpoint.QuantizedFolders.Contents;
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
import dev.halftone.quant.Int32Packing;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/// The weights of an artifact: codes and scales where a layer is quantized, else what the folder's tensors hold.
final class ArtifactSource implements ParameterSource {
    private final HfFolder folder;
    private final HfSource floats;
    private final DType computeDtype;
    private final Device device;
    private final Map<String, QuantScheme> schemes;
    private final DType weightDtype;
    private final List<String> taken = new ArrayList<>();

    /// @throws InputException if the folder's `halftone` key is not one that this version writes
    ArtifactSource(HfFolder folder, DType dtype, DType computeDtype, Device device) {
        this.folder = folder;
        this.floats = new HfSource(folder, dtype, device);
        this.computeDtype = computeDtype;
        this.device = device;
        Contents contents = QuantizedFolders.contents(folder.config(), folder.dir());
        this.schemes = contents.schemes();
        this.weightDtype = contents.weightDtype();
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        return floats.parameter(name, shape);
    }

    @Override
    public Weight weight(String name, long... shape) {
        QuantScheme scheme = schemes.get(name.substring(0, Math.max(0, name.lastIndexOf('.'))));
        if (scheme == null) {
            return parameter(name, shape);
        }
        Grid grid = scheme.weights(weightDtype);
        int columns = Math.toIntExact(shape[1]);
        int group = grid.granularity().groupSize(columns);
        DType zeroPoint = grid.zeroPointDtype();
        try (Scope _ = Scope.open()) {
            long[] stored = Torch.longs(read(name + QuantizedFolders.SHAPE, DType.I64, 2));
            if (!Arrays.equals(stored, shape)) {
                throw mismatch(name, Arrays.toString(stored), Arrays.toString(shape));
            }
            if (columns % group != 0) {
                throw new InputException(
                        "%s: groups of %d do not divide the %d columns of '%s'. Quantize the float model again."
                                .formatted(folder.dir(), group, columns, name));
            }
            int words = Int32Packing.wordsPerRow(columns, grid.codeBits());
            Tensor packed_NW = read(name + QuantizedFolders.PACKED, DType.I32, shape[0], words);
            long[] scales = grid.granularity().scaleShape(shape);
            return new QuantizedWeight(
                    scheme,
                    weightDtype,
                    computeDtype,
                    new Quantized(
                            Ops.to(PackedCodes.unpack(packed_NW, columns, grid), device),
                            Ops.to(read(name + QuantizedFolders.SCALE, grid.scaleDtype(), scales), device),
                            zeroPoint == null ? null : Ops.to(zeroPoint(name, zeroPoint, scales, grid), device),
                            grid.wholeTensor()
                                    ? Ops.to(read(name + QuantizedFolders.TENSOR_SCALE, DType.F32, 1), device)
                                    : null));
        }
    }

    /// The scales of static activations, by layer.
    Map<String, InputScale> inputScales() {
        Map<String, InputScale> scales = new HashMap<>();
        schemes.forEach((layer, scheme) -> {
            String name = layer + InputScales.SCALE;
            if (scheme.staticActivations() && folder.has(name)) {
                try (Scope _ = Scope.open()) {
                    float scale = Torch.floats(read(name, DType.F32, 1))[0];
                    String zeroPoint = layer + InputScales.ZERO_POINT;
                    long zero = folder.has(zeroPoint) ? Torch.longs(read(zeroPoint, DType.I8, 1))[0] : 0;
                    scales.put(layer, new InputScale(scale, Math.toIntExact(zero)));
                }
            }
        });
        return scales;
    }

    private Tensor zeroPoint(String weight, DType dtype, long[] shape, Grid grid) {
        String name = weight + QuantizedFolders.ZERO_POINT;
        if (!QuantizedFolders.packsZeroPoint(grid)) {
            return read(name, dtype, shape);
        }
        Tensor packed_WG = read(name, DType.I32, QuantizedFolders.packedZeroPoint(shape[0], shape[1], grid));
        return PackedCodes.unpackColumns(packed_WG, Math.toIntExact(shape[0]), grid);
    }

    private Tensor read(String name, DType dtype, long... shape) {
        TensorInfo info = folder.info(name);
        if (info.dtype() != dtype || !Arrays.equals(info.shape(), shape)) {
            throw mismatch(name, info.dtype() + Arrays.toString(info.shape()), dtype + Arrays.toString(shape));
        }
        taken.add(name);
        return Torch.of(folder.data(name), dtype, shape);
    }

    private InputException mismatch(String name, String is, String expected) {
        return new InputException("%s: '%s' is %s, but config.json asks for %s. Quantize the float model again."
                .formatted(folder.dir(), name, is, expected));
    }

    /// @throws InputException if the folder holds tensors that the model did not ask for
    void requireAllTaken() {
        floats.requireAllTaken(taken);
    }
}
