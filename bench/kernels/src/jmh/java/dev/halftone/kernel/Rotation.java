package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// [Rotary] of queries.
public class Rotation extends FunctionPair {
    @Param({"BF16", "F32"})
    DType dtype;

    @Param("512")
    int tokens;

    private Tensor cos_B1SD;
    private Tensor sin_B1SD;
    private Rotary rotary;

    @Override
    List<Tensor> inputs() {
        Tensor half = normal(1, DType.F32, 1, 1, tokens, 32);
        Tensor angles = Ops.cat(List.of(half, half), 3);
        cos_B1SD = Ops.to(angles.cos(), dtype);
        sin_B1SD = Ops.to(angles.sin(), dtype);
        rotary = new Rotary(cos_B1SD, sin_B1SD);
        return List.of(normal(1, dtype, 1, tokens, 9, 64));
    }

    @Override
    Tensor kernel(List<Tensor> x) {
        return rotary.apply(x.getFirst());
    }

    @Override
    Tensor aten(List<Tensor> x) {
        return Rotary.aten(x.getFirst(), cos_B1SD.transpose(1, 2), sin_B1SD.transpose(1, 2));
    }
}
