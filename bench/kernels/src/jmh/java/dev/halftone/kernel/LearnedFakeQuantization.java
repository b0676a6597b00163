package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// Fake quantization of an MLP's weight to 4 bits with scales that are trained, and the gradients of both.
public class LearnedFakeQuantization extends Pair {
    public enum Learned {
        RANGE_LEARNING(Numerics.TORCHAO_RANGE_LEARNING),
        LSQ(Numerics.LSQ);

        final IntxScheme scheme;

        Learned(Numerics numerics) {
            scheme = new IntxScheme(4, new Granularity.PerGroup(32), false, numerics);
        }
    }

    @Param({"BF16", "F32"})
    DType dtype;

    @Param
    Pass pass;

    @Param
    Learned learned;

    @Param("576")
    int rows;

    private Tensor w;
    private Tensor upstream;
    private LearnedKernel.Scales scales;

    @Override
    void prepare() {
        w = normal(0.05, dtype, rows, 1536);
        upstream = normal(0.01, dtype, rows, 1536);
        scales = kernel(Kernels.VECTOR).start(w);
    }

    private LearnedKernel kernel(Kernels kernels) {
        return (LearnedKernel) kernels.of(learned.scheme.weights(dtype));
    }

    @Override
    List<Tensor> kernel() {
        return run(kernel(Kernels.VECTOR));
    }

    @Override
    List<Tensor> aten() {
        return run(kernel(Kernels.ATEN));
    }

    private List<Tensor> run(LearnedKernel kernel) {
        Tensor y = Ops.emptyLike(w);
        kernel.fakeQuantize(w, scales, y);
        if (pass == Pass.FORWARD) {
            return List.of(y);
        }
        LearnedKernel.Gradients g = kernel.gradients(w, scales, upstream, GradientRule.CLOSED);
        return List.of(y, g.x(), g.scales().scale());
    }
}
