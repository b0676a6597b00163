package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.hf.HfFolder;
import dev.halftone.format.safetensors.TensorInfo;
import dev.halftone.model.HfSource;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.Weight;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Int32Packing;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import tools.jackson.databind.JsonNode;

/// The weights of an artifact: codes and scales where a layer is quantized, else what the folder's tensors hold.
final class ArtifactSource implements ParameterSource {
    private final HfFolder folder;
    private final HfSource floats;
    private final DType computeDtype;
    private final Device device;
    private final IntxScheme scheme;
    private final DType weightDtype;
    private final List<String> taken = new ArrayList<>();

    /// @throws InputException if the folder's `halftone` key is not one that this version writes
    ArtifactSource(HfFolder folder, DType dtype, DType computeDtype, Device device) {
        this.folder = folder;
        this.floats = new HfSource(folder, dtype, device);
        this.computeDtype = computeDtype;
        this.device = device;
        JsonNode own = folder.config().get(QuantizedFolders.OWN_KEY);
        String where = folder.dir().resolve("config.json") + ", halftone";
        QuantScheme any = SchemeJson.read(own.path(QuantizedFolders.SCHEME), where);
        this.scheme = switch (any) {
            case IntxScheme s -> s;
        };
        this.weightDtype = DType.parse(own.path(QuantizedFolders.WEIGHT_DTYPE).asString(""));
        if (weightDtype != DType.F32 && weightDtype != DType.BF16) {
            throw new InputException(
                    "%s: weight_dtype %s is none that weights are trained in. Quantize the float model again."
                            .formatted(where, weightDtype.torchName()));
        }
    }

    IntxScheme scheme() {
        return scheme;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        return floats.parameter(name, shape);
    }

    @Override
    public Weight weight(String name, long... shape) {
        String packed = name + QuantizedFolders.PACKED;
        if (!folder.has(packed)) {
            return parameter(name, shape);
        }
        int columns = Math.toIntExact(shape[1]);
        int words = Int32Packing.wordsPerRow(columns, scheme.weightBits());
        int group = scheme.granularity().groupSize(columns);
        DType scaleDtype = IntxGrid.weights(scheme, weightDtype).scaleDtype();
        try (Scope _ = Scope.open()) {
            Tensor packed_NW = read(packed, DType.I32, shape[0], words);
            Tensor scale_NG = read(name + QuantizedFolders.SCALE, scaleDtype, shape[0], columns / group);
            long[] stored = Torch.longs(read(name + QuantizedFolders.SHAPE, DType.I64, 2));
            if (!Arrays.equals(stored, shape) || columns % group != 0) {
                throw mismatch(name, Arrays.toString(stored), Arrays.toString(shape));
            }
            Tensor codes_NK = Ops.to(QuantizedWeight.unpack(packed_NW, columns, scheme.weightBits()), device);
            return new QuantizedWeight(scheme, weightDtype, computeDtype, codes_NK, Ops.to(scale_NG, device));
        }
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
