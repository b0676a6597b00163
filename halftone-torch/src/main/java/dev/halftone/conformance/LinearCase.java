package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.Kernels;
import dev.halftone.nn.ActivationTransform;
import dev.halftone.nn.Linear;
import dev.halftone.nn.Module;
import dev.halftone.nn.Parameter;
import dev.halftone.qat.InputCalibration;
import dev.halftone.qat.Qat;
import dev.halftone.qat.QuantizationPlan;
import dev.halftone.qat.QuantizationPlan.Rule;
import dev.halftone.qat.QuantizedWeight;
import dev.halftone.quant.Calibration;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.QuantScheme;
import dev.halftone.torch.Ops;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// A linear layer that is prepared, trained one step where the case has an upstream gradient, and converted:
/// what a user's own model goes through.
///
/// T tokens, N output features, K input features.
final class LinearCase {
    /// A model of one layer.
    private static final class OneLayer extends Module {
        private final Linear proj;

        OneLayer(Parameter weight_NK, @Nullable Parameter bias_N) {
            proj = child("proj", new Linear(weight_NK, bias_N));
        }
    }

    private final QuantScheme scheme;
    private final @Nullable Kernels kernels;
    private final Tensor x_TK;
    private final Tensor w_NK;
    private final @Nullable Tensor b_N;
    private final @Nullable Tensor upstream_TN;
    private final Map<String, Computed> roles = new LinkedHashMap<>();

    LinearCase(GoldenCase c, QuantScheme scheme, @Nullable Kernels kernels) {
        this(c, scheme, kernels, c.has("b") ? c.floats("b") : null);
    }

    /// @param bias_N in the dtype of the weight
    LinearCase(GoldenCase c, QuantScheme scheme, @Nullable Kernels kernels, @Nullable Tensor bias_N) {
        this.scheme = scheme;
        this.kernels = kernels;
        w_NK = c.matrix("w");
        x_TK = c.matrix("x");
        b_N = bias_N;
        upstream_TN = c.has("upstream") ? c.matrix("upstream") : null;
        if (x_TK.size(1) != w_NK.size(1)
                || (upstream_TN != null && upstream_TN.size(0) != x_TK.size(0))
                || (upstream_TN != null && upstream_TN.size(1) != w_NK.size(0))
                || (b_N != null && b_N.numel() != w_NK.size(0))) {
            throw c.malformed("'x', 'w', 'b' and 'upstream' are not those of one linear layer");
        }
    }

    /// @param rule of the gradients that are not named `…_closed`
    Map<String, Computed> compute(GradientRule rule) {
        step(GradientRule.CLOSED, "_closed");
        convert(step(rule, ""));
        return roles;
    }

    private OneLayer step(GradientRule rule, String suffix) {
        OneLayer model = new OneLayer(trainable(w_NK), b_N == null ? null : trainable(b_N));
        Qat.prepare(model, plan(rule));
        InputCalibration.run(model, Calibration.MINMAX, () -> model.proj.forward(x_TK));
        Tensor leaf_TK = Ops.copy(x_TK).requires_grad_(true);
        Tensor y_TN = model.proj.forward(leaf_TK);
        ActivationTransform input = model.proj.inputTransform();
        Tensor xFq_TK = input == null ? x_TK : input.forward(x_TK);
        Tensor wFq_NK = model.proj.weight().value().detach();
        roles.put("x_fq", Computed.exact(xFq_TK));
        roles.put("w_fq", Computed.exact(wFq_NK));

        Tensor yTerms_TN = magnitude(xFq_TK).matmul(magnitude(wFq_NK).t());
        roles.put("y", new Computed(y_TN, b_N == null ? yTerms_TN : yTerms_TN.add(magnitude(b_N))));
        if (upstream_TN != null) {
            Ops.backward(y_TN, upstream_TN);
            gradients(model, leaf_TK, magnitude(upstream_TN), magnitude(xFq_TK), magnitude(wFq_NK), suffix);
        }
        return model;
    }

    private void gradients(
            OneLayer model, Tensor leaf_TK, Tensor upstreamAbs, Tensor xAbs_TK, Tensor wAbs_NK, String suffix) {
        model.allParameters().values().forEach(Parameter::collectGradient);
        roles.put("grad_x" + suffix, new Computed(leaf_TK.grad().detach(), upstreamAbs.matmul(wAbs_NK)));
        Tensor wTerms_NK = upstreamAbs.t().matmul(xAbs_TK);
        roles.put("grad_w" + suffix, new Computed(gradient((Parameter) model.proj.weight()), wTerms_NK));
        Parameter bias = model.proj.bias();
        if (bias != null) {
            roles.put("grad_b" + suffix, new Computed(gradient(bias), upstreamAbs.sum(0)));
        }
    }

    private QuantizationPlan plan(GradientRule rule) {
        return new QuantizationPlan(List.of(new Rule(scheme, List.of("*"), List.of(), rule)), kernels);
    }

    private void convert(OneLayer model) {
        Computed y = Objects.requireNonNull(roles.get("y"));
        Qat.convert(model);
        QuantizedWeight w = (QuantizedWeight) model.proj.weight();
        roles.put("y_convert", new Computed(model.proj.forward(x_TK), y.terms()));
        roles.put("w_dq", Computed.exact(w.value()));
        for (String codes : List.of("convert_qdata", "convert_weight", "w_codes")) {
            roles.put(codes, Computed.exact(w.quantized().codes()));
        }
        for (String scale : List.of("convert_scale", "convert_scales", "w_scale")) {
            roles.put(scale, Computed.exact(w.quantized().scale()));
        }
        for (String zeros : List.of("convert_zero_point", "convert_zeros")) {
            roles.put(zeros, IntxCases.zeros(w.quantized().scale()));
        }
    }

    private static Parameter trainable(Tensor values) {
        Parameter p = new Parameter(Ops.copy(values));
        p.setTrainable(true);
        return p;
    }

    /// A handle of its own, since the one that a parameter gives dies with it.
    private static Tensor gradient(Parameter p) {
        return Objects.requireNonNull(p.gradient()).detach();
    }

    private static Tensor magnitude(Tensor t) {
        return Ops.to(t, DType.F32).abs();
    }
}
