package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.quant.Fp4Packing;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Grid;
import dev.halftone.quant.MiniFloat;
import dev.halftone.quant.MxFormat;
import dev.halftone.quant.MxGrid;
import dev.halftone.quant.MxScaleMode;
import dev.halftone.quant.MxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.quant.Nvfp4Grid;
import dev.halftone.quant.Nvfp4Scheme;
import dev.halftone.quant.QuantScheme;
import dev.halftone.quant.SwizzledScales;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the MX and NVFP4 cases, and how it stores it: role to tensor.
///
/// @param kernels which implementation computes it; null for the fastest on this machine
record FloatBlockCases(@Nullable Kernels kernels) implements CaseFamily {
    private static final Pattern MX =
            Pattern.compile("torchao (mxfp\\w+) (FLOOR|CEIL|EVEN|RCEIL)(?: NaN/Inf/huge| near powers of two)?");
    private static final Pattern MX_LINEAR = Pattern.compile("torchao MXFakeQuantizedLinear (mxfp4|mxfp8)");

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        Matcher mx = MX.matcher(c.scheme());
        if (mx.matches()) {
            return Optional.of(mx(c, mx.group(1), MxScaleMode.valueOf(mx.group(2))));
        }
        Matcher linear = MX_LINEAR.matcher(c.scheme());
        if (linear.matches()) {
            MxFormat format = linear.group(1).equals("mxfp4") ? MxFormat.MXFP4 : MxFormat.MXFP8_E4M3;
            return Optional.of(linear(c, MxScheme.of(format, format, MxScaleMode.RCEIL)));
        }
        return switch (c.scheme()) {
            case "torchao NVFP4", "torchao NVFP4 swizzled (blocked) scale layout" -> Optional.of(nvfp4(c));
            case "torchao NVFP4FakeQuantizedLinear, emulated" ->
                Optional.of(linear(c, new Nvfp4Scheme(true, true, Numerics.TORCHAO)));
            case "ModelOpt NVFP4" -> Optional.of(modelopt(c));
            case "compressed-tensors NVFP4" ->
                Optional.of(compressedTensors(c, new Nvfp4Scheme(false, true, Numerics.COMPRESSED_TENSORS)));
            case "compressed-tensors MXFP4" ->
                Optional.of(compressedTensors(
                        c, new MxScheme(MxFormat.MXFP4, null, MxScaleMode.EVEN, Numerics.COMPRESSED_TENSORS)));
            case "compressed-tensors pack_fp4_to_uint8" -> Optional.of(packing(c));
            default -> Optional.empty();
        };
    }

    private Map<String, Computed> mx(GoldenCase c, String format, MxScaleMode mode) {
        Tensor x = blocks(c, "x", 32);
        MxFormat elements = MxFormat.valueOf(format.toUpperCase(Locale.ROOT));
        GridKernel kernel = kernel(new MxGrid(elements, mode, Numerics.TORCHAO, Torch.dtype(x)), x);
        Quantized q = kernel.quantize(x);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("codes_packed", Computed.exact(packed(q.codes())));
        roles.put("scale", Computed.exact(bytes(q.scale())));
        roles.put("x_dq", Computed.exact(kernel.fakeQuantized(x)));
        return roles;
    }

    private Map<String, Computed> nvfp4(GoldenCase c) {
        Tensor x = blocks(c, "x", 16);
        boolean twoLevel = c.parameters().path("per_tensor_scale").asBoolean(true);
        GridKernel kernel = kernel(new Nvfp4Grid(Numerics.TORCHAO, twoLevel, Torch.dtype(x)), x);
        Quantized q = kernel.quantize(x);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes_packed", Computed.exact(packed(q.codes())));
        roles.put("scale", Computed.exact(bytes(q.scale())));
        roles.put("scale_swizzled", Computed.exact(swizzled(q.scale())));
        roles.put("x_dq", Computed.exact(kernel.fakeQuantized(x)));
        if (q.tensorScale() != null) {
            roles.put("per_tensor_scale", Computed.exact(q.tensorScale()));
        }
        return roles;
    }

    /// What ModelOpt stores is one grid, what it trains with another.
    private Map<String, Computed> modelopt(GoldenCase c) {
        Tensor x = blocks(c, "x", 16);
        GridKernel stored = kernel(new Nvfp4Grid(Numerics.MODELOPT, true, Torch.dtype(x)), x);
        GridKernel trained = kernel(new Nvfp4Grid(Numerics.MODELOPT_TRAINING, true, Torch.dtype(x)), x);
        Quantized q = stored.quantize(x);
        Quantized t = trained.quantize(x);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("packed", Computed.exact(packed(q.codes())));
        roles.put("scale", Computed.exact(bytes(q.scale())));
        roles.put("scale_2", Computed.exact(Objects.requireNonNull(q.tensorScale())));
        roles.put("x_dq", Computed.exact(stored.fakeQuantized(x)));
        roles.put("x_fq", Computed.exact(trained.fakeQuantized(x)));
        Tensor unit = Ops.to(t.scale(), DType.F32).mul(Objects.requireNonNull(t.tensorScale()));
        roles.put("block_scale", Computed.exact(unit));
        return roles;
    }

    /// The state of a compressed layer; its bias and the scale of its inputs are not computed.
    private Map<String, Computed> compressedTensors(GoldenCase c, QuantScheme scheme) {
        Tensor w_NK = c.matrix("w");
        Grid grid = scheme.weights(Torch.dtype(w_NK));
        GridKernel kernel = kernel(grid, blocks(c, "w", grid.granularity().groupSize(0)));
        for (String role : new String[] {"state.proj.bias", "state.proj.input_global_scale"}) {
            if (c.has(role)) {
                c.input(role);
            }
        }
        Quantized q = kernel.quantize(w_NK);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("w_fq", Computed.exact(kernel.fakeQuantized(w_NK)));
        roles.put("w_decompressed", Computed.exact(kernel.dequantize(q)));
        roles.put("state.proj.weight_packed", Computed.exact(packed(q.codes())));
        roles.put("state.proj.weight_scale", Computed.exact(bytes(q.scale())));
        if (q.tensorScale() != null) {
            roles.put("state.proj.weight_global_scale", Computed.exact(q.tensorScale()));
        }
        return roles;
    }

    private Map<String, Computed> linear(GoldenCase c, QuantScheme scheme) {
        Map<String, Computed> roles = new LinearCase(c, scheme, kernels).compute(GradientRule.IDENTITY);
        roles.put("x_dq", Objects.requireNonNull(roles.get("x_fq")));
        Tensor w_NK = c.matrix("w");
        Grid grid = scheme.weights(Torch.dtype(w_NK));
        Quantized q = kernel(grid, w_NK).quantize(w_NK);
        roles.put("convert_qdata", Computed.exact(grid.codeBits() == 4 ? packed(q.codes()) : q.codes()));
        roles.put("convert_scale", Computed.exact(swizzled(q.scale())));
        return roles;
    }

    private static Map<String, Computed> packing(GoldenCase c) {
        float[] values = Torch.floats(c.matrix("values"));
        byte[] codes = new byte[values.length];
        for (int i = 0; i < codes.length; i++) {
            codes[i] = MiniFloat.E2M1.encode(values[i]);
        }
        long[] shape = Torch.shape(c.matrix("values"));
        Tensor packed = packed(Torch.of(MemorySegment.ofArray(codes), DType.U8, shape));
        byte[] unpacked = Fp4Packing.unpack(Torch.memory(packed).toArray(ValueLayout.JAVA_BYTE));
        float[] numbers = new float[unpacked.length];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = MiniFloat.E2M1.decode(unpacked[i]);
        }
        return Map.of("packed", Computed.exact(packed), "unpacked", Computed.exact(Torch.of(numbers, shape)));
    }

    private GridKernel kernel(Grid grid, Tensor x) {
        return Kernels.of(kernels, grid, x);
    }

    private static Tensor blocks(GoldenCase c, String role, int size) {
        Tensor x = c.floats(role);
        if (x.size(-1) % size != 0) {
            throw c.malformed("'%s' should hold blocks of %d".formatted(role, size));
        }
        return x;
    }

    /// Two codes a byte.
    private static Tensor packed(Tensor codes) {
        long[] shape = Torch.shape(codes);
        shape[shape.length - 1] /= 2;
        byte[] packed = Fp4Packing.pack(Torch.memory(codes.contiguous()).toArray(ValueLayout.JAVA_BYTE));
        return Torch.of(MemorySegment.ofArray(packed), DType.U8, shape);
    }

    private static Tensor swizzled(Tensor scale_NG) {
        int rows = Math.toIntExact(scale_NG.size(0));
        int columns = Math.toIntExact(scale_NG.size(1));
        byte[] scales = Torch.memory(bytes(scale_NG)).toArray(ValueLayout.JAVA_BYTE);
        byte[] swizzled = SwizzledScales.swizzle(scales, rows, columns);
        long tileRows = Math.ceilDiv(rows, 128);
        return Torch.of(MemorySegment.ofArray(swizzled), DType.U8, tileRows * 32, swizzled.length / (tileRows * 32));
    }

    private static Tensor bytes(Tensor scale) {
        return Ops.view(scale.contiguous(), DType.U8);
    }
}
