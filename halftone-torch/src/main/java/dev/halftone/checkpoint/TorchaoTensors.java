package dev.halftone.checkpoint;

import dev.halftone.DType;
import dev.halftone.format.torchao.TensorClass;
import dev.halftone.format.torchao.TensorClass.Part;
import dev.halftone.format.torchao.Torchao;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int4Layouts;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// The parts of a quantized weight `[N, K]` as tensors of a folder, and back: the shapes and types are those
/// of [TensorClass#parts].
final class TorchaoTensors {
    private TorchaoTensors() {}

    static Tensor part(TensorClass type, Part part, Quantized q) {
        return switch (part.name()) {
            case Torchao.CODES ->
                switch (type) {
                    case INTX, INT8 -> q.codes();
                    case INT4 -> bytes(q.codes(), Int4Layouts::packPlain, part.shape());
                    case FLOAT8 -> Ops.view(q.codes(), DType.F8_E4M3);
                };
            case Torchao.SCALE -> turned(type, q.scale());
            default ->
                q.zeroPoint() == null
                        ? Torch.zeros(part.dtype(), part.shape())
                        : turned(type, Objects.requireNonNull(q.zeroPoint()));
        };
    }

    /// The inverse of [#part].
    ///
    /// @param read gives the tensor of a part
    /// @return null if it has zero points, and the grid has none
    static @Nullable Quantized of(TensorClass type, Function<Part, Tensor> read, Grid grid, long... shape) {
        Tensor codes = null;
        Tensor scale = null;
        Tensor zeroPoint = null;
        for (Part part : type.parts(grid, shape)) {
            Tensor stored = read.apply(part);
            switch (part.name()) {
                case Torchao.CODES ->
                    codes = switch (type) {
                        case INTX, INT8 -> stored;
                        case INT4 -> bytes(stored, Int4Layouts::unpackPlain, shape);
                        case FLOAT8 -> Ops.view(stored, DType.U8);
                    };
                case Torchao.SCALE -> scale = turned(type, stored);
                default -> zeroPoint = turned(type, stored);
            }
        }
        DType dtype = grid.zeroPointDtype();
        if (dtype == null && zeroPoint != null) {
            if (Ops.to(zeroPoint, DType.BOOL).any().item_bool()) {
                return null;
            }
            zeroPoint = null;
        }
        return new Quantized(
                Objects.requireNonNull(codes),
                Objects.requireNonNull(scale),
                zeroPoint == null ? null : Ops.to(zeroPoint, Objects.requireNonNull(dtype)),
                null);
    }

    /// torchao's int4 has groups above rows.
    private static Tensor turned(TensorClass type, Tensor blocks) {
        return type == TensorClass.INT4 ? blocks.transpose(0, 1).contiguous() : blocks;
    }

    private static Tensor bytes(Tensor t, UnaryOperator<byte[]> layout, long... shape) {
        byte[] bytes = Torch.memory(t.cpu().contiguous()).toArray(ValueLayout.JAVA_BYTE);
        return Torch.of(MemorySegment.ofArray(layout.apply(bytes)), DType.I8, shape);
    }
}
