package dev.halftone.export;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.RunException;
import dev.halftone.checkpoint.QuantizedFolders.Contents;
import dev.halftone.format.gguf.GgufCheckpoint;
import dev.halftone.format.gguf.LatticeBlocks;
import dev.halftone.kernel.Quantized;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.Weight;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Oracle.Codes;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The weights of a GGUF file, as codes and scales of the schemes that it was written from.
final class GgufSource implements ParameterSource {
    private final GgufCheckpoint file;
    private final Contents contents;
    private final Set<String> taken = new HashSet<>();

    /// @param contents the artifact's, which says what scheme a layer's blocks stand for
    GgufSource(GgufCheckpoint file, Contents contents) {
        this.file = file;
        this.contents = contents;
    }

    @Override
    public Parameter parameter(String name, long... shape) {
        try (Scope _ = Scope.open()) {
            return new Parameter(Ops.to(values(name, shape), contents.weightDtype()));
        }
    }

    @Override
    public Weight weight(String name, long... shape) {
        QuantScheme scheme = contents.schemes().get(name.substring(0, Math.max(0, name.lastIndexOf('.'))));
        if (scheme == null) {
            return parameter(name, shape);
        }
        try (Scope _ = Scope.open();
                NoGrad _ = NoGrad.open()) {
            DType dtype = contents.weightDtype();
            QuantizedWeight weight = new QuantizedWeight(scheme, dtype, dtype, quantized(name, scheme, shape));
            // The same bytes, read as values by another way.
            boolean equal =
                    Ops.to(values(name, shape), dtype).eq(weight.value()).all().item_bool();
            if (!equal) {
                throw new RunException(
                        "%s: the blocks of '%s' stand for other values than the artifact's codes. Report it."
                                .formatted(file.path(), name));
            }
            return weight;
        }
    }

    /// All values, in float32.
    private Tensor values(String name, long... shape) {
        requireShape(name, shape);
        return Torch.of(file.values(name), shape);
    }

    private Quantized quantized(String name, QuantScheme scheme, long... shape) {
        requireShape(name, shape);
        GgufLattice lattice = LatticeBlocks.holding(scheme).orElseThrow();
        if (file.type(name) != LatticeBlocks.type(lattice)) {
            throw new RunException("%s: '%s' is %s, where %s was written. Report it."
                    .formatted(file.path(), name, file.type(name), LatticeBlocks.type(lattice)));
        }
        Grid grid = scheme.weights(contents.weightDtype());
        int columns = Math.toIntExact(shape[1]);
        int blocksPerScale = grid.granularity().groupSize(columns) / lattice.blockSize();
        long[] scaleShape = grid.granularity().scaleShape(shape);
        Tensor codes = Torch.empty(grid.codeDtype(), shape);
        Tensor scales = Torch.empty(DType.F32, scaleShape);
        Tensor minima = Torch.empty(DType.F32, scaleShape);
        for (long r = 0; r < shape[0]; r++) {
            Codes row = LatticeBlocks.unpack(file.row(name, r).toArray(ValueLayout.JAVA_BYTE), lattice);
            put(MemorySegment.ofArray(row.codes()), codes, r);
            put(MemorySegment.ofArray(everyNth(row.scales(), blocksPerScale)), scales, r);
            if (row.zeroPoints() != null) {
                put(MemorySegment.ofArray(everyNth(row.zeroPoints(), blocksPerScale)), minima, r);
            }
        }
        DType zeroPoint = grid.zeroPointDtype();
        return new Quantized(
                codes, Ops.to(scales, grid.scaleDtype()), zeroPoint == null ? null : Ops.to(minima, zeroPoint), null);
    }

    private static void put(MemorySegment row, Tensor to, long r) {
        Torch.memory(to).asSlice(r * row.byteSize(), row.byteSize()).copyFrom(row);
    }

    private static float[] everyNth(float[] values, int n) {
        float[] some = new float[values.length / n];
        for (int i = 0; i < some.length; i++) {
            some[i] = values[i * n];
        }
        return some;
    }

    private void requireShape(String name, long... shape) {
        if (!Arrays.equals(file.shape(name), shape)) {
            throw new InputException("%s: '%s' is %s, but its configuration asks for %s. Convert the model again."
                    .formatted(file.path(), name, Arrays.toString(file.shape(name)), Arrays.toString(shape)));
        }
        taken.add(name);
    }

    /// @throws InputException if the file holds tensors that the model did not ask for
    void requireAllTaken() {
        @Nullable
        String left = file.names().stream()
                .filter(name -> !taken.contains(name))
                .findFirst()
                .orElse(null);
        if (left != null) {
            throw new InputException("%s holds '%s', for which the model has no place. Convert the model again."
                    .formatted(file.path(), left));
        }
    }
}
