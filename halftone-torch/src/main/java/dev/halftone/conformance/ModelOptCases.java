package dev.halftone.conformance;

import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.quant.AmaxGrid;
import dev.halftone.quant.Element;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.InputScale;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.ModelOptScheme;
import dev.halftone.quant.StaticGrid;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of ModelOpt's int8, float8 and int4 cases: role to tensor.
final class ModelOptCases implements CaseFamily {
    private static final Element.Integers INT8 = Element.Integers.of(8);
    private static final Element E4M3 = new Element.Floats(MiniFloat.E4M3);
    private static final Granularity ROW = new Granularity.PerAxis();
    private static final Granularity TENSOR = new Granularity.PerTensor();
    private static final String LINEAR = "ModelOpt mtq.quantize ";
    /// Of every output of the linear cases.
    private static final float BIAS = 0.125f;

    private final @Nullable Kernels kernels;

    ModelOptCases(@Nullable Kernels kernels) {
        this.kernels = kernels;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        return switch (c.scheme()) {
            case "ModelOpt INT8 symmetric per channel" -> Optional.of(int8(c, ROW));
            case "ModelOpt INT8 symmetric per tensor" -> Optional.of(int8(c, TENSOR));
            case "ModelOpt FP8 e4m3 per tensor / per row" -> Optional.of(float8(c));
            default ->
                Arrays.stream(ModelOptScheme.Config.values())
                        .filter(config -> c.scheme().equals(LINEAR + config.name()))
                        .findFirst()
                        .map(config -> linear(c, new ModelOptScheme(config)));
        };
    }

    private Map<String, Computed> int8(GoldenCase c, Granularity granularity) {
        Tensor x = c.matrix("x");
        Map<String, Computed> roles = new LinkedHashMap<>();
        passedThrough(c, x, AmaxGrid.modelOpt(INT8, Torch.dtype(x), granularity), roles);
        clipped(c, x, granularity, roles);
        return roles;
    }

    private Map<String, Computed> float8(GoldenCase c) {
        Tensor x = c.matrix("x");
        Map<String, Computed> roles = new LinkedHashMap<>();
        passedThrough(c, x, AmaxGrid.modelOpt(E4M3, Torch.dtype(x), TENSOR), roles);
        GridKernel rows = Kernels.of(kernels, AmaxGrid.modelOpt(E4M3, Torch.dtype(x), ROW), x);
        roles.put("x_fq_per_row", Computed.exact(rows.fakeQuantized(x)));
        return roles;
    }

    private void passedThrough(GoldenCase c, Tensor x, AmaxGrid grid, Map<String, Computed> roles) {
        GridKernel kernel = Kernels.of(kernels, grid, x);
        roles.put("amax", Computed.exact(amax(kernel.quantize(x).scale(), x)));
        roles.put("x_fq", Computed.exact(kernel.fakeQuantized(x)));
        roles.put("grad_x", Computed.exact(kernel.gradient(x, c.inputLike("upstream", x), GradientRule.IDENTITY)));
    }

    /// Codes from -127 to 127 of ranges that were calibrated beforehand: half the amax. Each row is a tensor
    /// of its own.
    private void clipped(GoldenCase c, Tensor x, Granularity granularity, Map<String, Computed> roles) {
        Tensor upstream = c.inputLike("upstream", x);
        float[] amax = Torch.floats(c.input("amax"));
        AmaxGrid grid = AmaxGrid.modelOpt(INT8.narrow(), Torch.dtype(x), TENSOR);
        long rows = granularity.equals(TENSOR) ? x.size(0) : 1;
        if (amax.length * rows != x.size(0)) {
            throw c.malformed("'amax' has %d values".formatted(amax.length));
        }
        List<Tensor> values = new ArrayList<>();
        List<Tensor> gradients = new ArrayList<>();
        for (int i = 0; i < amax.length; i++) {
            Tensor x_RK = x.narrow(0, i * rows, rows);
            StaticGrid calibrated = new StaticGrid(grid, InputScale.of(grid, -amax[i] / 2, amax[i] / 2));
            GridKernel kernel = Kernels.of(kernels, calibrated, x_RK);
            values.add(kernel.fakeQuantized(x_RK));
            gradients.add(kernel.gradient(x_RK, upstream.narrow(0, i * rows, rows), GradientRule.CLOSED));
        }
        roles.put("x_fq_clipped", Computed.exact(Ops.cat(values, 0)));
        roles.put("grad_x_clipped", Computed.exact(Ops.cat(gradients, 0)));
    }

    /// Ranges are calibrated on the case's own input.
    private Map<String, Computed> linear(GoldenCase c, ModelOptScheme scheme) {
        Tensor x_TK = c.matrix("x");
        Tensor w_NK = c.matrix("w");
        Tensor bias_N = Ops.fill_(Torch.empty(Torch.dtype(w_NK), w_NK.size(0)), BIAS);
        Map<String, Computed> roles = new LinearCase(c, scheme, kernels, bias_N).compute(GradientRule.IDENTITY);
        roles.put(
                "w_amax",
                Computed.exact(amax(Objects.requireNonNull(roles.get("w_scale")).value(), w_NK)));
        AmaxGrid inputs = scheme.activations(Torch.dtype(x_TK));
        if (inputs != null) {
            Tensor amax = Kernels.of(kernels, inputs, x_TK).quantize(x_TK).scale();
            roles.put("x_amax", Computed.exact(amax(amax, x_TK)));
        }
        return roles;
    }

    /// The stored scales, as ModelOpt has them.
    private static Tensor amax(Tensor scale, Tensor like) {
        return Ops.to(scale.reshape(-1), Torch.dtype(like));
    }
}
