package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// [Products] in bfloat16: tokens times an MLP's weight. On a processor with instructions for bfloat16 both are
/// libtorch's `linear`.
public class Product extends FunctionPair {
    @Param("512")
    int tokens;

    @Override
    List<Tensor> inputs() {
        return List.of(normal(1, DType.BF16, tokens, 576), normal(0.05, DType.BF16, 1536, 576));
    }

    @Override
    Tensor kernel(List<Tensor> x) {
        return Products.linear(x.get(0), x.get(1), null);
    }

    @Override
    Tensor aten(List<Tensor> x) {
        return Ops.linear(x.get(0), x.get(1), null);
    }
}
