package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.AmaxGrid.Formula;
import dev.halftone.quant.ChainedGrid;
import dev.halftone.quant.Float8Int4Scheme;
import dev.halftone.quant.Float8Scheme;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the float8 cases: role to tensor. Their gradients, and their NaN
/// for a block of zeros, are torchao's to the letter.
///
/// T tokens, N rows of a weight, K columns.
final class Float8Cases implements CaseFamily {
    private static final Granularity ROW = new Granularity.PerAxis();

    private final @Nullable Kernels kernels;
    private final GradientRule rule;

    /// @param rule of the gradients that are not named `…_closed`
    Float8Cases(@Nullable Kernels kernels, GradientRule rule) {
        this.kernels = kernels;
        this.rule = rule;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        return switch (c.scheme()) {
            case "torchao Float8FakeQuantizer", "torchao Float8FakeQuantizer with bounds" ->
                Optional.of(fakeQuantizer(c));
            case "torchao Float8DynamicActivationFloat8WeightConfig linear" -> Optional.of(linear(c));
            case "torchao Float8DynamicActivationInt4WeightConfig weight" -> Optional.of(int4Weight(c));
            case "torchao Float8DynamicActivationInt4WeightConfig linear" ->
                Optional.of(new LinearCase(c, int4(Numerics.TORCHAO_VERBATIM), kernels).compute(rule));
            case "torchao Float8Tensor" -> Optional.of(stored(c));
            case "compressed-tensors FP8_DYNAMIC" -> Optional.of(compressed(c));
            default -> Optional.empty();
        };
    }

    private Map<String, Computed> fakeQuantizer(GoldenCase c) {
        Tensor x = c.matrix("x");
        AmaxGrid grid = AmaxGrid.float8(Formula.FLOAT8_TORCHAO, Torch.dtype(x), granularity(c, x))
                .bounded(bound(c, "hp_value_lb", 0), bound(c, "hp_value_ub", Float.POSITIVE_INFINITY));
        Map<String, Computed> roles = new LinkedHashMap<>();
        put(roles, x, grid, "codes", "scale");
        gradients(c, "x", grid.withScaleGradient(true), grid.withScaleGradient(false), roles);
        return roles;
    }

    private static float bound(GoldenCase c, String key, float otherwise) {
        return (float) c.parameters().path(key).asDouble(otherwise);
    }

    private static Granularity granularity(GoldenCase c, Tensor x) {
        String granularity = c.parameters().path("granularity").asString("");
        boolean tensor = granularity.equals("per_tensor") || c.name().contains(".tensor.");
        if (x.dim() != 2) {
            throw c.malformed("a matrix is needed");
        }
        return tensor ? new Granularity.PerTensor() : ROW;
    }

    /// Codes and scale.
    private void put(Map<String, Computed> roles, Tensor x, Grid grid, String codes, String scale) {
        Quantized q = Kernels.of(kernels, grid, x).quantize(x);
        roles.put(codes, Computed.exact(q.codes()));
        roles.put(scale, Computed.exact(q.scale()));
    }

    /// What is fake-quantized, and its gradients with and without the rounding of gradients to float8.
    private void gradients(GoldenCase c, String x, Grid grid, Grid wide, Map<String, Computed> roles) {
        Tensor values = c.matrix(x);
        Tensor upstream = c.inputLike("upstream", values);
        GridKernel kernel = Kernels.of(kernels, grid, values);
        roles.put(x + "_fq", Computed.exact(kernel.fakeQuantized(values)));
        gradient(kernel.gradient(values, upstream, rule), "grad_" + x, roles);
        gradient(kernel.gradient(values, upstream, GradientRule.CLOSED), "grad_" + x + "_closed", roles);
        GridKernel wideKernel = Kernels.of(kernels, wide, values);
        gradient(wideKernel.gradient(values, upstream, rule), "grad_" + x + "_wide", roles);
        gradient(wideKernel.gradient(values, upstream, GradientRule.CLOSED), "grad_" + x + "_wide_closed", roles);
    }

    /// A gradient whose values may differ by a share of the largest in their row.
    private static void gradient(Tensor gradient, String role, Map<String, Computed> roles) {
        Tensor magnitudes = Ops.to(gradient, DType.F32).abs();
        Tensor largest = Ops.amax(magnitudes, -1).expand_as(magnitudes).contiguous();
        roles.put(role, new Computed(gradient, largest));
    }

    private Map<String, Computed> linear(GoldenCase c) {
        Tensor x_TK = c.matrix("x");
        Tensor w_NK = c.matrix("w");
        Granularity granularity = granularity(c, w_NK);
        Map<String, Computed> roles = new LinearCase(
                        c,
                        new Float8Scheme(granularity, 0, Float.POSITIVE_INFINITY, false, Numerics.TORCHAO_VERBATIM),
                        kernels)
                .compute(rule);
        // What a runtime makes of codes and scales: the product in float32, rounded once.
        Tensor y = Ops.linear(
                inFloat32(x_TK, granularity), inFloat32(w_NK, granularity), Ops.to(c.floats("b"), DType.F32));
        Computed prepared = roles.get("y");
        roles.put("y_convert", new Computed(Ops.to(y, Torch.dtype(w_NK)), prepared == null ? null : prepared.terms()));
        return roles;
    }

    private Tensor inFloat32(Tensor x, Granularity granularity) {
        AmaxGrid grid = AmaxGrid.float8(Formula.FLOAT8_TORCHAO, Torch.dtype(x), granularity);
        Quantized q = Kernels.of(kernels, grid, x).quantize(x);
        return Kernels.of(kernels, grid.with(DType.F32), x).dequantize(q);
    }

    private static Float8Int4Scheme int4(Numerics numerics) {
        return new Float8Int4Scheme(new Granularity.PerGroup(128), numerics);
    }

    private Map<String, Computed> int4Weight(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        if (w_NK.size(1) % 128 != 0) {
            throw c.malformed("groups of 128 do not divide the columns of 'w'");
        }
        DType dtype = Torch.dtype(w_NK);
        ChainedGrid trained = (ChainedGrid) int4(Numerics.TORCHAO_VERBATIM).weights(dtype);
        AmaxGrid rows = (AmaxGrid) trained.first();
        Map<String, Computed> roles = new LinkedHashMap<>();
        gradients(c, "w", trained, new ChainedGrid(rows.withScaleGradient(false), trained.second()), roles);
        // The kernel's own scales, before torchao stores them in the dtype of the weight.
        Quantized q = Kernels.of(kernels, int4(Numerics.TORCHAO).weights(DType.F32), w_NK)
                .quantize(Ops.to(w_NK, DType.F32));
        roles.put("codes_plain", Computed.exact(q.codes()));
        roles.put("scale_plain", Computed.exact(q.scale().t().contiguous()));
        return roles;
    }

    /// A stored tensor of torchao: `flat.<name>_qdata`, `…_scale`.
    private Map<String, Computed> stored(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        Map<String, Computed> roles = new LinkedHashMap<>();
        for (String role : c.roles()) {
            if (role.endsWith("_qdata")) {
                AmaxGrid grid = AmaxGrid.float8(Formula.FLOAT8_TORCHAO, Torch.dtype(w_NK), ROW);
                put(roles, w_NK, grid, role, role.replace("_qdata", "_scale"));
            }
        }
        return roles;
    }

    private Map<String, Computed> compressed(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        c.input("state.proj.bias");
        AmaxGrid grid = new Float8Scheme(ROW, 0, Float.POSITIVE_INFINITY, false, Numerics.COMPRESSED_TENSORS)
                .weights(Torch.dtype(w_NK));
        GridKernel kernel = Kernels.of(kernels, grid, w_NK);
        Map<String, Computed> roles = new LinkedHashMap<>();
        put(roles, w_NK, grid, "state.proj.weight", "state.proj.weight_scale");
        roles.put("w_fq", Computed.exact(kernel.fakeQuantized(w_NK)));
        roles.put("w_decompressed", Computed.exact(kernel.dequantize(kernel.quantize(w_NK))));
        return roles;
    }
}
