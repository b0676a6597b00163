package dev.halftone.kernel;

import dev.halftone.DType;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// [RootMeanSquare] of the hidden states.
public class Normalisation extends FunctionPair {
    @Param({"BF16", "F32"})
    DType dtype;

    @Param("512")
    int tokens;

    @Override
    List<Tensor> inputs() {
        return List.of(normal(1, dtype, 1, tokens, 576));
    }

    @Override
    Tensor kernel(List<Tensor> x) {
        return RootMeanSquare.normalise(x.getFirst(), 1e-5, dtype);
    }

    @Override
    Tensor aten(List<Tensor> x) {
        return RootMeanSquare.aten(x.getFirst(), 1e-5, dtype);
    }
}
