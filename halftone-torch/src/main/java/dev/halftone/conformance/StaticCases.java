package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.RangeObserver;
import dev.halftone.quant.StaticActivationScheme;
import dev.halftone.quant.StaticGrid;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// Static activations: the scale of a tensor `c` for another, `x`, alone and before a linear layer.
final class StaticCases implements CaseFamily {
    private static final String TORCHAO = "torchao Int8StaticActivationInt8WeightConfig ";
    private static final String COMPRESSED = "compressed-tensors static ";

    private final @Nullable Kernels kernels;

    StaticCases(@Nullable Kernels kernels) {
        this.kernels = kernels;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        boolean asymmetric = c.parameters().path("mapping").asString("").equals("asymmetric");
        StaticActivationScheme torchao = new StaticActivationScheme(new Int8Scheme(asymmetric));
        return switch (c.scheme()) {
            case TORCHAO + "activation" -> Optional.of(activation(c, torchao));
            case TORCHAO + "linear" -> Optional.of(linear(c, torchao));
            case COMPRESSED + "int8 activation" ->
                Optional.of(activation(c, new StaticActivationScheme(CompressedIntScheme.w8a8())));
            case COMPRESSED + "float8 activation" ->
                Optional.of(activation(
                        c,
                        new StaticActivationScheme(new Float8Scheme(
                                new Granularity.PerTensor(),
                                0,
                                Float.POSITIVE_INFINITY,
                                false,
                                Numerics.COMPRESSED_TENSORS))));
            default -> Optional.empty();
        };
    }

    private Map<String, Computed> activation(GoldenCase c, StaticActivationScheme scheme) {
        Tensor x_TK = c.floats("x");
        GridKernel kernel = calibrated(c, scheme, x_TK);
        Quantized q = kernel.quantize(x_TK);
        Tensor zeroPoint = q.zeroPoint();
        Tensor scale = c.has("scale") ? q.scale().reshape(Torch.shape(c.tensor("scale"))) : q.scale();
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("scale", Computed.exact(scale));
        roles.put("zero_point", zeroPoint == null ? IntxCases.zeros(q.scale()) : Computed.exact(zeroPoint));
        for (String values : new String[] {"x_dq", "x_fq"}) {
            roles.put(values, Computed.exact(kernel.fakeQuantized(x_TK)));
        }
        return roles;
    }

    private Map<String, Computed> linear(GoldenCase c, StaticActivationScheme scheme) {
        Tensor x_TK = c.matrix("x");
        Tensor w_NK = c.matrix("w");
        Tensor b_N = c.input("b");
        Tensor xFq_TK = calibrated(c, scheme, x_TK).fakeQuantized(x_TK);
        Tensor wFq_NK =
                Kernels.of(kernels, scheme.weights(Torch.dtype(w_NK)), w_NK).fakeQuantized(w_NK);
        Tensor terms_TN = xFq_TK.abs().matmul(wFq_NK.abs().t()).add(b_N.abs());
        return Map.of("y", new Computed(xFq_TK.matmul(wFq_NK.t()).add(b_N), terms_TN));
    }

    /// The arithmetic with the scale that `c` has.
    private GridKernel calibrated(GoldenCase c, StaticActivationScheme scheme, Tensor x) {
        RangeObserver range = new RangeObserver(Calibration.MINMAX);
        range.observe(Torch.floats(c.floats("c")));
        Grid numbers = scheme.activations(Torch.dtype(x));
        return Kernels.of(kernels, new StaticGrid(numbers, range.scale(numbers, scheme.activations(DType.F32))), x);
    }
}
