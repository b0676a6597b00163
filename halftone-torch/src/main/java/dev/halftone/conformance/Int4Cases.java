package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int4Grid;
import dev.halftone.quant.Int4Layouts;
import dev.halftone.quant.Int4Scheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the cases of int4 weights between minimum and maximum: role to
/// tensor. N rows of a weight, K columns, G groups a row.
final class Int4Cases implements CaseFamily {
    private final @Nullable Kernels kernels;
    private final GradientRule rule;

    /// @param rule of the gradients that are not named `…_closed`
    Int4Cases(@Nullable Kernels kernels, GradientRule rule) {
        this.kernels = kernels;
        this.rule = rule;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        return switch (c.scheme()) {
            case "torchao Int4WeightOnlyConfig v2" -> Optional.of(weight(c));
            case "torchao Int4WeightOnlyConfig v2 linear" -> Optional.of(linear(c));
            case "torchao tinygemm int4 weight only (legacy)" -> Optional.of(tinygemm(c));
            case "torchao tinygemm int4 linear (legacy)" -> Optional.of(tinygemmLinear(c));
            default -> Optional.empty();
        };
    }

    /// What is stored comes from the scheme that trains it, what torchao trains from the scheme that mirrors
    /// that.
    private Map<String, Computed> weight(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        Granularity groups = groups(c, w_NK);
        GridKernel stored = kernel(new Int4Scheme(groups, Numerics.FBGEMM, false), w_NK);
        Quantized q = stored.quantize(w_NK);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("packed", Computed.exact(packed(q.codes())));
        roles.put("scale", Computed.exact(q.scale().t()));
        roles.put("zero", Computed.exact(zero(q).t()));
        roles.put("w_dq", Computed.exact(stored.fakeQuantized(w_NK)));

        GridKernel training = kernel(new Int4Scheme(groups, Numerics.FBGEMM_TRAINING, true), w_NK);
        Quantized float32 = training.quantize(w_NK);
        roles.put("scale_f32", Computed.exact(float32.scale().t()));
        roles.put("zero_f32", Computed.exact(zero(float32).t()));
        roles.put("w_fq", Computed.exact(training.fakeQuantized(w_NK)));
        Tensor upstream = c.inputLike("upstream", w_NK);
        roles.put("grad_w", ofGroups(upstream, training.gradient(w_NK, upstream, rule), groups));
        roles.put("grad_w_closed", ofGroups(upstream, training.gradient(w_NK, upstream, GradientRule.CLOSED), groups));
        return roles;
    }

    /// Gradients with the largest magnitude of their group beside them, among those that went in too: what
    /// is added up there may all but cancel, and no order of adding is then near to any other.
    private static Computed ofGroups(Tensor upstream_NK, Tensor gradient_NK, Granularity groups) {
        long[] shape = Torch.shape(gradient_NK);
        Tensor abs_NK = Ops.to(gradient_NK, DType.F32)
                .abs()
                .maximum(Ops.to(upstream_NK, DType.F32).abs());
        Tensor abs_BG = abs_NK.reshape(-1, groups.groupSize(shape[1]));
        Tensor largest_BG = Ops.amax(abs_BG, -1).add(Torch.zeros(DType.F32, Torch.shape(abs_BG)));
        return new Computed(gradient_NK, largest_BG.view(shape));
    }

    private Map<String, Computed> linear(GoldenCase c) {
        Granularity groups = new Granularity.PerGroup(32);
        Map<String, Computed> roles =
                new LinearCase(c, new Int4Scheme(groups, Numerics.FBGEMM_TRAINING, true), kernels).compute(rule);
        Map<String, Computed> stored =
                new LinearCase(c, new Int4Scheme(groups, Numerics.FBGEMM, false), kernels).compute(rule);
        for (String role : List.of("w_dq", "y_convert")) {
            roles.put(role, Objects.requireNonNull(stored.get(role)));
        }
        return roles;
    }

    private Map<String, Computed> tinygemm(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        Tensor upstream = c.inputLike("upstream", w_NK);
        Granularity groups = groups(c, w_NK);
        GridKernel kernel = kernel(new Int4Scheme(groups, Numerics.TINYGEMM, false), w_NK);
        Quantized q = kernel.quantize(w_NK);
        // torchao's convert forgets the dtype of the weight.
        GridKernel runtime = Kernels.of(kernels, Int4Grid.tinygemm(DType.BF16, groups), w_NK);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("scale", Computed.exact(q.scale()));
        roles.put("zero_point", Computed.exact(zero(q)));
        roles.put("scales_and_zeros", Computed.exact(scalesAndZeros(q)));
        roles.put("w_fq", Computed.exact(kernel.fakeQuantized(w_NK)));
        roles.put("w_dq", Computed.exact(runtime.dequantize(q)));
        roles.put("grad_w", Computed.exact(kernel.gradient(w_NK, upstream, rule)));
        roles.put("grad_w_closed", Computed.exact(kernel.gradient(w_NK, upstream, GradientRule.CLOSED)));
        return roles;
    }

    private Map<String, Computed> tinygemmLinear(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        if (w_NK.size(0) % 2 != 0 || w_NK.size(0) >= 32) {
            throw c.malformed("'w' should have an even number of rows below 32, whose layout no machine changes");
        }
        Int4Scheme scheme = new Int4Scheme(groups(c, w_NK), Numerics.TINYGEMM, false);
        Map<String, Computed> roles = new LinearCase(c, scheme, kernels).compute(rule);
        roles.replaceAll((_, computed) -> computed.terms() == null ? computed : ofLargest(computed.value()));
        Quantized q = kernel(scheme, w_NK).quantize(w_NK);
        roles.put("scales_and_zeros", Computed.exact(scalesAndZeros(q)));
        byte[] bytes = Int4Layouts.packRowPairs(bytes(q.codes()), Math.toIntExact(w_NK.size(1)));
        Tensor packed = Torch.of(MemorySegment.ofArray(bytes), DType.U8, w_NK.size(0), w_NK.size(1) / 2);
        roles.put("packed_cpu", Computed.exact(packed));
        return roles;
    }

    /// Values with the largest magnitude among them beside each.
    private static Computed ofLargest(Tensor values) {
        Tensor abs = Ops.to(values, DType.F32).abs();
        return new Computed(values, abs.max().add(Torch.zeros(DType.F32, Torch.shape(values))));
    }

    private GridKernel kernel(Int4Scheme scheme, Tensor w_NK) {
        return Kernels.of(kernels, scheme.weights(Torch.dtype(w_NK)), w_NK);
    }

    private static Granularity groups(GoldenCase c, Tensor w_NK) {
        return new Granularity.PerGroup(IntxCases.checkedGroup(c, c.parameter("group_size"), w_NK));
    }

    static Tensor zero(Quantized q) {
        return Objects.requireNonNull(q.zeroPoint());
    }

    /// `[G, N, 2]`: what tinygemm reads.
    static Tensor scalesAndZeros(Quantized q) {
        return Ops.stack(List.of(q.scale().t(), zero(q).t()), -1);
    }

    /// `[N, K / 2]` int8: two codes a byte.
    static Tensor packed(Tensor codes_NK) {
        byte[] packed = Int4Layouts.packPlain(bytes(codes_NK));
        return Torch.of(MemorySegment.ofArray(packed), DType.I8, codes_NK.size(0), codes_NK.size(1) / 2);
    }

    static byte[] bytes(Tensor codes) {
        return Torch.memory(codes.cpu().contiguous()).toArray(ValueLayout.JAVA_BYTE);
    }
}
