package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.LittleEndian;
import dev.halftone.format.onnx.NBits;
import dev.halftone.format.onnx.OnnxFile;
import dev.halftone.format.onnx.OnnxSchemes;
import dev.halftone.kernel.Quantized;
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
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;

/// The weights of an ONNX model, as codes and scales of the schemes that it was written from.
final class OnnxSource implements ParameterSource {
    private static final String MINIMUM = "_minimum";

    private final Path dir;
    private final OnnxFile file;
    private final Map<String, StoredLayer> layers;
    private final DType dtype;
    private final DType computeDtype;
    private final Device device;
    private final Set<String> taken = new HashSet<>();

    /// @param layers those that are quantized, by their paths
    OnnxSource(
            Path dir, OnnxFile file, Map<String, StoredLayer> layers, DType dtype, DType computeDtype, Device device) {
        this.dir = dir;
        this.file = file;
        this.layers = layers;
        this.dtype = dtype;
        this.computeDtype = computeDtype;
        this.device = device;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        try (Scope _ = Scope.open()) {
            Tensor stored = Torch.of(data(name, file.dtype(name), shape), file.dtype(name), shape);
            return new Parameter(Ops.to(Ops.to(stored, dtype), device));
        }
    }

    @Override
    public Weight weight(String name, long... shape) {
        StoredLayer layer = layers.get(name.substring(0, Math.max(0, name.lastIndexOf('.'))));
        if (layer == null) {
            return parameter(name, shape);
        }
        Grid grid = layer.scheme().weights(layer.dtype());
        int columns = Math.toIntExact(shape[1]);
        Optional<NBits> layout = file.layout(name, columns);
        if (!layout.equals(NBits.of(grid, columns))) {
            throw mismatch(
                    name, "it has other codes than those of " + layer.scheme().label());
        }
        long[] scaleShape = grid.granularity().scaleShape(shape);
        int groups = Math.toIntExact(scaleShape[1]);
        int blocks = layout.map(l -> columns / l.block()).orElse(groups);
        try (Scope _ = Scope.open()) {
            Tensor steps = codes(name, layout, shape[0], columns);
            int middle = OnnxSchemes.middle(grid);
            Tensor codes = middle == 0 ? steps : Ops.to(Ops.add(steps, middle), grid.codeDtype());
            Tensor scale = one(name, floats(name + QuantizedFolders.SCALE, shape[0], blocks), scaleShape);
            DType dtype = grid.zeroPointDtype();
            Tensor zeroPoint = dtype == null
                    ? null
                    : grid.affine()
                            ? one(name, codes(name + QuantizedFolders.ZERO_POINT, layout, shape[0], blocks), scaleShape)
                            : floats(name + MINIMUM, scaleShape);
            Quantized quantized = new Quantized(
                    Ops.to(codes, device),
                    Ops.to(exactly(name, scale, grid.scaleDtype()), device),
                    dtype == null || zeroPoint == null ? null : Ops.to(exactly(name, zeroPoint, dtype), device),
                    null);
            return new QuantizedWeight(layer.scheme(), layer.dtype(), computeDtype, quantized);
        }
    }

    /// The scales of static activations, by layer.
    Map<String, InputScale> inputScales() {
        Map<String, InputScale> scales = new HashMap<>();
        layers.forEach((layer, stored) -> {
            String zeroPoint = layer + InputScales.ZERO_POINT;
            if (stored.scheme().staticActivations() && file.has(layer + InputScales.SCALE)) {
                float zero = file.has(zeroPoint) ? number(zeroPoint) : 0;
                scales.put(layer, new InputScale(number(layer + InputScales.SCALE), Math.round(zero)));
            }
        });
        return scales;
    }

    private float number(String name) {
        return data(name, DType.F32, 1).get(LittleEndian.FLOAT, 0);
    }

    private Tensor floats(String name, long... shape) {
        return Torch.of(data(name, DType.F32, shape), DType.F32, shape);
    }

    /// Unpacks the rows of a tensor.
    ///
    /// @return int8 `[rows, columns]`
    private Tensor codes(String name, Optional<NBits> layout, long rows, int columns) {
        Tensor codes = Torch.empty(DType.I8, rows, columns);
        MemorySegment out = Torch.memory(codes);
        if (layout.isEmpty()) {
            out.copyFrom(data(name, DType.I8, rows, columns));
            return codes;
        }
        NBits l = layout.get();
        // Codes have a dimension for blocks, which lie one after the other.
        long[] shape = file.shape(name).length == 3
                ? new long[] {rows, columns / l.block(), l.bytes(l.block())}
                : new long[] {rows, l.bytes(columns)};
        MemorySegment packed = data(name, DType.U8, shape);
        for (long r = 0; r < rows; r++) {
            byte[] row = packed.asSlice(r * l.bytes(columns), l.bytes(columns)).toArray(ValueLayout.JAVA_BYTE);
            MemorySegment.copy(l.unpack(row, columns), 0, out, ValueLayout.JAVA_BYTE, r * columns, columns);
        }
        return codes;
    }

    /// What the blocks of a group repeat.
    private Tensor one(String name, Tensor blocks_NB, long... shape) {
        Tensor groups_NGR = blocks_NB.view(shape[0], shape[1], -1);
        Tensor first_NG1 = groups_NGR.narrow(2, 0, 1);
        if (!groups_NGR.eq(first_NG1).all().item_bool()) {
            throw mismatch(name, "the blocks of a group have different scales or zero points");
        }
        return first_NG1.reshape(shape);
    }

    private Tensor exactly(String name, Tensor t, DType to) {
        Tensor narrow = Ops.to(t, to);
        if (!Ops.to(narrow, Torch.dtype(t)).eq(t).all().item_bool()) {
            throw mismatch(name, "its scales are no numbers of the type " + to);
        }
        return narrow;
    }

    private MemorySegment data(String name, DType stored, long... shape) {
        if (file.dtype(name) != stored || !Arrays.equals(file.shape(name), shape)) {
            throw mismatch(
                    name,
                    "it is %s%s, where config.json asks for %s%s"
                            .formatted(
                                    file.dtype(name),
                                    Arrays.toString(file.shape(name)),
                                    stored,
                                    Arrays.toString(shape)));
        }
        taken.add(name);
        return file.data(name);
    }

    private InputException mismatch(String name, String why) {
        return new InputException(
                "%s: '%s' is damaged, or another model's: %s. Export the artifact again.".formatted(dir, name, why));
    }

    /// @throws InputException if the file holds tensors that the model did not ask for
    void requireAllTaken() {
        file.names().stream().filter(name -> !taken.contains(name)).findFirst().ifPresent(name -> {
            throw mismatch(name, "the model has no place for it");
        });
    }
}
