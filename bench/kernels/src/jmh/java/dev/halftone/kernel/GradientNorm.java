package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// [SumOfSquares] of the largest gradient, that of the embeddings, beside libtorch's `norm`.
public class GradientNorm extends Pair {
    @Param({"BF16", "F32"})
    DType dtype;

    @Param("49152")
    int rows;

    private Tensor gradient;

    @Override
    void prepare() {
        gradient = normal(0.01, dtype, rows, 576);
    }

    @Override
    List<Tensor> kernel() {
        return List.of(Torch.of(new float[] {(float) Math.sqrt(SumOfSquares.of(gradient))}));
    }

    @Override
    List<Tensor> aten() {
        return List.of(Ops.norm(gradient, DType.F32));
    }
}
