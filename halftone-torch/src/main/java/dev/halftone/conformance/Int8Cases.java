package dev.halftone.conformance;

import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int8Scheme;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the cases of torchao's int8 weights and activations: role to
/// tensor.
final class Int8Cases implements CaseFamily {
    private static final String CONFIG = "torchao Int8DynamicActivationInt8WeightConfig ";

    private final @Nullable Kernels kernels;
    private final GradientRule rule;

    Int8Cases(@Nullable Kernels kernels, GradientRule rule) {
        this.kernels = kernels;
        this.rule = rule;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        boolean asymmetric = c.parameters().path("mapping").asString("").equals("asymmetric");
        Int8Scheme scheme = new Int8Scheme(asymmetric);
        return switch (c.scheme()) {
            case CONFIG + "weight" -> {
                Tensor w_NK = c.matrix("w");
                yield Optional.of(stored("w_dq", w_NK, scheme.weights(Torch.dtype(w_NK))));
            }
            case CONFIG + "activation" -> {
                Tensor x_TK = c.floats("x");
                yield Optional.of(stored("x_dq", x_TK, scheme.activations(Torch.dtype(x_TK))));
            }
            case CONFIG + "linear" -> Optional.of(new LinearCase(c, scheme, kernels).compute(rule));
            default -> Optional.empty();
        };
    }

    /// What is stored, and, under `values`, what training sees.
    private Map<String, Computed> stored(String values, Tensor x, Grid grid) {
        GridKernel kernel = Kernels.of(kernels, grid, x);
        Quantized q = kernel.quantize(x);
        Tensor zeroPoint = q.zeroPoint();
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("scale", Computed.exact(q.scale()));
        roles.put("zero_point", zeroPoint == null ? IntxCases.zeros(q.scale()) : Computed.exact(zeroPoint));
        roles.put(values, Computed.exact(kernel.fakeQuantized(x)));
        return roles;
    }
}
