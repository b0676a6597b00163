package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.InputException;
import dev.halftone.format.gguf.GgmlType;
import dev.halftone.format.gguf.GgufCheckpoint;
import dev.halftone.kernel.GgufMatrix;
import dev.halftone.nn.FrozenWeight;
import dev.halftone.nn.Parameter;
import dev.halftone.nn.ParameterSource;
import dev.halftone.nn.Weight;
import dev.halftone.torch.Device;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Scope;
import dev.halftone.torch.Torch;
import java.util.Arrays;
import org.bytedeco.pytorch.Tensor;

/// The weights of a GGUF file: matrices in the file's own blocks, norms, biases and what is stored in float as
/// parameters.
///
/// @param dtype of the values
/// @param computeDtype of the products
record GgufSource(GgufCheckpoint checkpoint, DType dtype, DType computeDtype, Device device)
        implements ParameterSource {
    @Override
    public Parameter parameter(String name, long... shape) {
        requireShape(name, shape);
        try (Scope _ = Scope.open()) {
            return new Parameter(Ops.to(Ops.to(Torch.of(checkpoint.values(name), shape), dtype), device));
        }
    }

    @Override
    public Weight weight(String name, long... shape) {
        requireShape(name, shape);
        GgmlType type = checkpoint.type(name);
        if (type.blockSize() == 1) {
            return parameter(name, shape);
        }
        try (Scope _ = Scope.open()) {
            Tensor bytes = Torch.empty(DType.U8, checkpoint.bytes(name));
            checkpoint.copyBlocks(name, Torch.memory(bytes));
            return new FrozenWeight(new GgufMatrix(type, bytes, shape, dtype, device), dtype, computeDtype);
        }
    }

    private void requireShape(String name, long... shape) {
        if (!checkpoint.has(name) || !Arrays.equals(checkpoint.shape(name), shape)) {
            throw new InputException("The file has no tensor '%s' of the shape %s. Start from the original checkpoint."
                    .formatted(name, Arrays.toString(shape)));
        }
    }
}
