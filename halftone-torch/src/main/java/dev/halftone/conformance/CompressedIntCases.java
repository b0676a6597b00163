package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.CompressedIntScheme;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Grid;
import dev.halftone.quant.Int32Packing;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the cases of compressed-tensors' integers: role to tensor. N
/// rows of a weight, K columns, G groups a row.
final class CompressedIntCases implements CaseFamily {
    private static final int BITS = 4;

    private final @Nullable Kernels kernels;

    CompressedIntCases(@Nullable Kernels kernels) {
        this.kernels = kernels;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        return switch (c.scheme()) {
            case "compressed-tensors W4A16" -> Optional.of(preset(c, true));
            case "compressed-tensors W4A16_ASYM" -> Optional.of(preset(c, false));
            case "compressed-tensors W8A8" -> Optional.of(w8a8(c));
            case "compressed-tensors int weight" -> Optional.of(weight(c));
            case "compressed-tensors int8 per-token activation" -> Optional.of(activation(c));
            default -> Optional.empty();
        };
    }

    /// The state dict of a compressed layer.
    private Map<String, Computed> preset(GoldenCase c, boolean symmetric) {
        Tensor w_NK = c.matrix("w");
        Map<String, Computed> roles = new LinkedHashMap<>();
        Quantized q = values(c, w_NK, CompressedIntScheme.w4a16(groups(c, w_NK), symmetric), roles);
        roles.put("state.proj.weight_packed", Computed.exact(packed(q.codes())));
        roles.put("state.proj.weight_shape", Computed.exact(Torch.of(Torch.shape(w_NK), 2)));
        Tensor zeroPoint_NG = q.zeroPoint();
        if (zeroPoint_NG != null) {
            Tensor packed_GW = packed(zeroPoint_NG.t());
            roles.put("state.proj.weight_zero_point", Computed.exact(packed_GW.t()));
        }
        return roles;
    }

    private Map<String, Computed> w8a8(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        Map<String, Computed> roles = new LinkedHashMap<>();
        Quantized q = values(c, w_NK, CompressedIntScheme.w8a8(), roles);
        roles.put("state.proj.weight", Computed.exact(q.codes()));
        return roles;
    }

    /// What all presets have; the bias is not touched.
    private Quantized values(GoldenCase c, Tensor w_NK, CompressedIntScheme scheme, Map<String, Computed> roles) {
        c.input("state.proj.bias");
        GridKernel kernel = Kernels.of(kernels, scheme.weights(Torch.dtype(w_NK)), w_NK);
        Quantized q = kernel.quantize(w_NK);
        roles.put("w_fq", Computed.exact(kernel.fakeQuantized(w_NK)));
        roles.put("w_decompressed", Computed.exact(kernel.dequantize(q)));
        roles.put("state.proj.weight_scale", Computed.exact(q.scale()));
        return q;
    }

    private Map<String, Computed> weight(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        boolean symmetric = c.parameters().path("symmetric").asBoolean(false);
        CompressedIntScheme scheme = new CompressedIntScheme(c.parameter("bits"), groups(c, w_NK), symmetric, false);
        GridKernel kernel = Kernels.of(kernels, scheme.weights(Torch.dtype(w_NK)), w_NK);
        Quantized q = kernel.quantize(w_NK);
        Tensor zeroPoint = q.zeroPoint();
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("scale", Computed.exact(q.scale()));
        roles.put("zero_point", zeroPoint == null ? IntxCases.zeros(q.scale()) : Computed.exact(zeroPoint));
        roles.put("w_dq", Computed.exact(kernel.dequantize(q)));
        roles.put("w_fq", Computed.exact(kernel.fakeQuantized(w_NK)));
        return roles;
    }

    private Map<String, Computed> activation(GoldenCase c) {
        Tensor x = c.floats("x");
        Grid grid = Objects.requireNonNull(CompressedIntScheme.w8a8().activations(Torch.dtype(x)));
        GridKernel kernel = Kernels.of(kernels, grid, x);
        return Map.of(
                "scale", Computed.exact(kernel.quantize(x).scale()),
                "x_fq", Computed.exact(kernel.fakeQuantized(x)));
    }

    private static Granularity groups(GoldenCase c, Tensor w_NK) {
        return new Granularity.PerGroup(IntxCases.checkedGroup(c, c.parameter("group_size"), w_NK));
    }

    /// Rows of int4 codes in 32-bit words.
    private static Tensor packed(Tensor codes) {
        int columns = Math.toIntExact(codes.size(1));
        int[] words = Int32Packing.pack(Int4Cases.bytes(codes), columns, BITS);
        return Torch.of(
                MemorySegment.ofArray(words), DType.I32, codes.size(0), Int32Packing.wordsPerRow(columns, BITS));
    }
}
