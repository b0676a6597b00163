package dev.halftone.kernel;

import dev.halftone.DType;
import dev.halftone.qat.WeightFakeQuantizer;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GgufLattice;
import dev.halftone.quant.GgufScheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.NoGrad;
import dev.halftone.torch.Ops;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.openjdk.jmh.annotations.Param;

/// Fake quantization of an MLP's weight and its gradient, as a training step runs them, in every family of schemes
/// whose scales are not trained.
public class WeightFakeQuantization extends Pair {
    public enum Scheme {
        INT4_GROUP(new IntxScheme(4, new Granularity.PerGroup(32), false, Numerics.TORCHAO)),
        INT4_CHANNEL(new IntxScheme(4, new Granularity.PerAxis(), false, Numerics.TORCHAO)),
        INT8_CHANNEL(new IntxScheme(8, new Granularity.PerAxis(), false, Numerics.TORCHAO)),
        INT8_INT8(new Int8Scheme(false)),
        INT4_FBGEMM(new Int4Scheme(new Granularity.PerGroup(32), Numerics.FBGEMM, false)),
        INT4_TINYGEMM(new Int4Scheme(new Granularity.PerGroup(32), Numerics.TINYGEMM, false)),
        W4A16(CompressedIntScheme.w4a16(new Granularity.PerGroup(32), true)),
        FLOAT8_CHANNEL(new Float8Scheme(new Granularity.PerAxis())),
        MXFP4(MxScheme.of(MxFormat.MXFP4, null, MxScaleMode.FLOOR)),
        MXFP8(MxScheme.of(MxFormat.MXFP8_E4M3, null, MxScaleMode.RCEIL)),
        NVFP4(new Nvfp4Scheme(false, true, Numerics.TORCHAO)),
        Q4_0(new GgufScheme(GgufLattice.Q4_0, false)),
        Q4_1(new GgufScheme(GgufLattice.Q4_1, false)),
        Q8_0(new GgufScheme(GgufLattice.Q8_0, false)),
        TQ2_0(new GgufScheme(GgufLattice.TQ2_0, false));

        final QuantScheme scheme;

        Scheme(QuantScheme scheme) {
            this.scheme = scheme;
        }
    }

    /// One implementation, with a gradient of its own: it may be overwritten.
    private record Quantizer(WeightFakeQuantizer quantizer, Tensor gradient) {}

    @Param({"BF16", "F32"})
    DType dtype;

    @Param
    Pass pass;

    @Param
    Scheme scheme;

    @Param("576")
    int rows;

    private Tensor w;
    private Quantizer vector;
    private Quantizer aten;

    @Override
    void prepare() {
        w = normal(0.05, dtype, rows, 1536);
        Tensor gradient = normal(0.01, dtype, rows, 1536);
        vector = new Quantizer(quantizer(Kernels.VECTOR), Ops.copy(gradient));
        aten = new Quantizer(quantizer(Kernels.ATEN), gradient);
    }

    private WeightFakeQuantizer quantizer(Kernels kernels) {
        return new WeightFakeQuantizer(scheme.scheme, GradientRule.CLOSED, kernels);
    }

    @Override
    List<Tensor> kernel() {
        return run(vector);
    }

    @Override
    List<Tensor> aten() {
        return run(aten);
    }

    private List<Tensor> run(Quantizer q) {
        try (NoGrad _ = NoGrad.open()) {
            Tensor y = q.quantizer.forward(w, pass == Pass.BOTH);
            return pass == Pass.FORWARD ? List.of(y) : List.of(y, q.quantizer.backward(() -> w, q.gradient));
        }
    }
}
