package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.LearnedKernel;
import dev.halftone.kernel.LearnedKernel.Gradients;
import dev.halftone.kernel.LearnedKernel.Scales;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.LearnedGrid;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// torchao's range learning: a linear layer with int4 weights whose scales are trained and, in some cases, int8
/// activations with a trained scale and zero point for each row; one step of SGD, and what comes after it.
final class LearnedCases implements CaseFamily {
    private static final String SCHEME = "torchao IntxFakeQuantizer range_learning";
    private static final double LR = 0.01;

    private final @Nullable Kernels kernels;
    private final GradientRule rule;

    /// @param rule of the gradients that are not named `…_closed`
    LearnedCases(@Nullable Kernels kernels, GradientRule rule) {
        this.kernels = kernels;
        this.rule = rule;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        return c.scheme().equals(SCHEME) ? Optional.of(computed(c)) : Optional.empty();
    }

    /// A matrix and its trained scales.
    private record Side(LearnedKernel kernel, Tensor values, Scales scales) {
        Tensor fakeQuantized() {
            return kernel.with(scales).fakeQuantized(values);
        }

        Gradients gradients(Tensor upstream, GradientRule rule) {
            return kernel.gradients(values, scales, upstream, rule);
        }

        /// After a step on the scales, with these values.
        Side step(Scales gradient, Tensor stepped) {
            Tensor zeroPoint = scales.zeroPoint();
            Tensor slope = gradient.zeroPoint();
            return new Side(
                    kernel,
                    stepped,
                    new Scales(
                            descended(scales.scale(), gradient.scale()),
                            zeroPoint == null || slope == null ? null : descended(zeroPoint, slope)));
        }
    }

    private static Tensor descended(Tensor t, Tensor gradient) {
        return Ops.add_(Ops.copy(t), gradient, -LR);
    }

    private Map<String, Computed> computed(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        Tensor x_TK = c.inputLike("x2", c.matrix("x"));
        int group = IntxCases.checkedGroup(c, c.parameter("group_size", Math.toIntExact(w_NK.size(1))), w_NK);
        IntxScheme scheme = new IntxScheme(4, new Granularity.PerGroup(group), false, Numerics.TORCHAO_RANGE_LEARNING);
        LearnedKernel weights = kernel((LearnedGrid) scheme.weights(DType.F32), w_NK);
        Side w = new Side(weights, w_NK, weights.start(w_NK));
        Side x = null;
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("init_w_scale", Computed.exact(w.scales().scale()));
        if (c.has("init_x_scale")) {
            LearnedKernel activations = kernel(
                    new LearnedGrid(IntxGrid.activations(Numerics.TORCHAO_RANGE_LEARNING, DType.F32), false), x_TK);
            x = new Side(activations, x_TK, activations.start(c.matrix("x")));
            roles.put("init_x_scale", Computed.exact(rows(x.scales().scale())));
            roles.put("init_x_zero_point", Computed.exact(rows(x.scales().zeroPoint())));
        }
        roles.put("y", product(x == null ? x_TK : x.fakeQuantized(), w.fakeQuantized()));

        Tensor up_TN = c.inputLike("upstream", roles.get("y").value());
        gradients(roles, "_closed", x_TK, x, w, up_TN, GradientRule.CLOSED);
        Gradients[] g = gradients(roles, "", x_TK, x, w, up_TN, rule);

        Side stepped = w.step(g[1].scales(), descended(w_NK, g[1].x()));
        Side steppedX = x == null ? null : x.step(g[0].scales(), x_TK);
        roles.put("step2_w", stepped(w_NK, g[1].x()));
        roles.put("step2_w_scale", stepped(w.scales().scale(), g[1].scales().scale()));
        if (x != null) {
            Scales slopes = g[0].scales();
            roles.put("step2_x_scale", stepped(rows(x.scales().scale()), rows(slopes.scale())));
            roles.put("step2_x_zero_point", stepped(rows(x.scales().zeroPoint()), rows(slopes.zeroPoint())));
        }
        after(c, roles, x_TK, steppedX, stepped);
        return roles;
    }

    /// What comes after the step, from the library's own values: where sums differ in the last bit, codes could.
    private static void after(GoldenCase c, Map<String, Computed> roles, Tensor x_TK, @Nullable Side x, Side w) {
        Side theirs = new Side(
                w.kernel(),
                c.inputLike("step2_w", w.values()),
                new Scales(c.inputLike("step2_w_scale", w.scales().scale()), null));
        Tensor xFq_TK = x_TK;
        if (x != null) {
            Tensor scale = x.scales().scale();
            Tensor rows = scale.squeeze(-1);
            Scales given = new Scales(
                    c.inputLike("step2_x_scale", rows).view(Torch.shape(scale)),
                    c.inputLike("step2_x_zero_point", rows).view(Torch.shape(scale)));
            xFq_TK = new Side(x.kernel(), x_TK, given).fakeQuantized();
        }
        roles.put("step2_y", product(xFq_TK, theirs.fakeQuantized()));
        Quantized converted = theirs.kernel().quantize(theirs.values(), theirs.scales());
        roles.put("convert_qdata", Computed.exact(converted.codes()));
        roles.put("convert_scale", Computed.exact(converted.scale()));
    }

    private Gradients[] gradients(
            Map<String, Computed> roles,
            String suffix,
            Tensor x_TK,
            @Nullable Side x,
            Side w,
            Tensor up_TN,
            GradientRule rule) {
        Tensor xFq_TK = x == null ? x_TK : x.fakeQuantized();
        Gradients gw = w.gradients(up_TN.t().matmul(xFq_TK), rule);
        roles.put("grad_w" + suffix, ofLargest(gw.x()));
        roles.put("grad_w_scale" + suffix, ofLargest(gw.scales().scale()));
        Tensor gx_TK = up_TN.matmul(w.fakeQuantized());
        if (x == null) {
            roles.put("grad_x2" + suffix, ofLargest(gx_TK));
            return new Gradients[] {new Gradients(gx_TK, gw.scales()), gw};
        }
        Gradients gx = x.gradients(gx_TK, rule);
        roles.put("grad_x2" + suffix, ofLargest(gx.x()));
        roles.put("grad_x_scale" + suffix, ofLargest(rows(gx.scales().scale())));
        roles.put("grad_x_zero_point" + suffix, ofLargest(rows(gx.scales().zeroPoint())));
        return new Gradients[] {gx, gw};
    }

    /// The scales of rows, which the cases store without the last dimension.
    private static Tensor rows(@Nullable Tensor t) {
        return Objects.requireNonNull(t).squeeze(-1);
    }

    private LearnedKernel kernel(LearnedGrid grid, Tensor like) {
        return (LearnedKernel) Kernels.of(kernels, grid, like);
    }

    private static Computed product(Tensor x_TK, Tensor w_NK) {
        return new Computed(x_TK.matmul(w_NK.t()), x_TK.abs().matmul(w_NK.abs().t()));
    }

    /// After the step: the sum of two terms, which may nearly cancel.
    private static Computed stepped(Tensor t, Tensor gradient) {
        return new Computed(descended(t, gradient), Ops.add_(t.abs(), gradient.abs(), LR));
    }

    /// With the largest magnitude of the tensor as what the tolerance is a share of.
    private static Computed ofLargest(Tensor t) {
        return new Computed(t, t.abs().max().expand(Torch.shape(t)));
    }
}
