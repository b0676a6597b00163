package dev.halftone.conformance;

import dev.halftone.DType;
import dev.halftone.kernel.GridKernel;
import dev.halftone.kernel.Kernels;
import dev.halftone.kernel.Quantized;
import dev.halftone.nn.Parameter;
import dev.halftone.qat.ActivationFakeQuantizer;
import dev.halftone.qat.WeightFakeQuantizer;
import dev.halftone.quant.GradientRule;
import dev.halftone.quant.Granularity;
import dev.halftone.quant.Int32Packing;
import dev.halftone.quant.IntxGrid;
import dev.halftone.quant.IntxScheme;
import dev.halftone.quant.Numerics;
import dev.halftone.torch.Ops;
import dev.halftone.torch.Torch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;

/// What Halftone computes from the inputs of the intN cases: role to tensor. N rows of a weight or table, K
/// columns.
final class IntxCases implements CaseFamily {
    private static final String CONFIGS = "(?:Int8DynamicActivationIntxWeightConfig|IntxWeightOnlyConfig)";
    private static final Pattern WEIGHT =
            Pattern.compile("torchao (?:" + CONFIGS + " weight int[1-8]|8da4w legacy weight int4)");
    private static final Pattern ACTIVATION =
            Pattern.compile("torchao int8 asymmetric per-token activation(?: \\(8da4w legacy\\))?");
    private static final Pattern LINEAR =
            Pattern.compile("torchao (?:" + CONFIGS + " linear int[2-8]|8da4w legacy linear)");
    private static final Pattern EMBEDDING =
            Pattern.compile("torchao (?:FakeQuantizedEmbedding int[2-8]|Int4WeightOnlyEmbeddingQATQuantizer)");
    private static final Pattern UNPACKED = Pattern.compile("torchao IntxUnpackedToInt8Tensor");
    private static final Pattern PACKING = Pattern.compile("compressed-tensors pack_to_int32 [1-8] bit");
    /// torchao's metadata of a stored tensor: the code's type, and the shape of the block that shares a scale.
    private static final Pattern STORED =
            Pattern.compile("\"target_dtype\": \\{[^}]*\"int([1-8])\"}, \"block_size\": \\[1, (\\d+)]");

    private final @Nullable Kernels kernels;
    private final GradientRule rule;

    /// @param rule of the gradients that are not named `…_closed`
    IntxCases(@Nullable Kernels kernels, GradientRule rule) {
        this.kernels = kernels;
        this.rule = rule;
    }

    @Override
    public Optional<Map<String, Computed>> compute(GoldenCase c) {
        String scheme = c.scheme();
        if (WEIGHT.matcher(scheme).matches()) {
            return Optional.of(weight(c));
        }
        if (ACTIVATION.matcher(scheme).matches()) {
            return Optional.of(activation(c));
        }
        if (LINEAR.matcher(scheme).matches()) {
            return Optional.of(new LinearCase(c, linearScheme(c), kernels).compute(rule));
        }
        if (EMBEDDING.matcher(scheme).matches()) {
            return Optional.of(embedding(c));
        }
        if (UNPACKED.matcher(scheme).matches()) {
            return Optional.of(unpacked(c));
        }
        return PACKING.matcher(scheme).matches() ? Optional.of(packing(c)) : Optional.empty();
    }

    private Map<String, Computed> weight(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        IntxScheme scheme = weightScheme(c, w_NK, false);
        IntxGrid grid = IntxGrid.weights(scheme, Torch.dtype(w_NK));
        GridKernel kernel = Kernels.of(kernels, grid, w_NK);
        Quantized q = kernel.quantize(w_NK);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("scale", Computed.exact(q.scale()));
        roles.put("zero_point", zeros(q.scale()));
        roles.put("w_dq", Computed.exact(kernel.dequantize(q)));
        roles.put("w_fq", Computed.exact(kernel.fakeQuantized(w_NK)));
        if (c.has("upstream")) {
            Tensor upstream = c.inputLike("upstream", w_NK);
            roles.put("grad_w", Computed.exact(kernel.gradient(w_NK, upstream, rule)));
            roles.put("grad_w_closed", Computed.exact(kernel.gradient(w_NK, upstream, GradientRule.CLOSED)));
        }
        return roles;
    }

    private Map<String, Computed> activation(GoldenCase c) {
        Tensor x = c.floats("x");
        Tensor upstream = c.inputLike("upstream", x);
        IntxGrid grid = IntxGrid.activations(numerics(c), Torch.dtype(x));
        Quantized q = Kernels.of(kernels, grid, x).quantize(x);
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("codes", Computed.exact(q.codes()));
        roles.put("scale", Computed.exact(q.scale().squeeze(-1)));
        Tensor zeroPoint = q.zeroPoint();
        if (zeroPoint != null) {
            roles.put("zero_point", Computed.exact(zeroPoint.squeeze(-1)));
        }
        fakeQuantizedActivation(x, upstream, numerics(c), rule, "", roles);
        fakeQuantizedActivation(x, upstream, numerics(c), GradientRule.CLOSED, "_closed", roles);
        return roles;
    }

    private void fakeQuantizedActivation(
            Tensor x,
            Tensor upstream,
            Numerics numerics,
            GradientRule rule,
            String suffix,
            Map<String, Computed> roles) {
        Tensor leaf = x.detach().requires_grad_(true);
        Tensor y = new ActivationFakeQuantizer(activations(numerics), rule, kernels, null).forward(leaf);
        Ops.backward(y, upstream);
        roles.put("x_fq", Computed.exact(y));
        roles.put("grad_x" + suffix, Computed.exact(leaf.grad().detach()));
    }

    private Map<String, Computed> embedding(GoldenCase c) {
        Tensor w_NK = c.matrix("w");
        Tensor ids = c.input("ids");
        if (Torch.dtype(ids) != DType.I64) {
            throw c.malformed("'ids' should be int64");
        }
        IntxScheme scheme = weightScheme(c, w_NK, false);
        Map<String, Computed> roles = new LinkedHashMap<>();
        embedding(c, w_NK, ids, scheme, rule, "", roles);
        embedding(c, w_NK, ids, scheme, GradientRule.CLOSED, "_closed", roles);
        IntxGrid grid = IntxGrid.weights(scheme, Torch.dtype(w_NK));
        GridKernel kernel = Kernels.of(kernels, grid, w_NK);
        Quantized q = kernel.quantize(w_NK);
        roles.put("convert_qdata", Computed.exact(q.codes()));
        roles.put("convert_weight", Computed.exact(q.codes()));
        roles.put("convert_scale", Computed.exact(q.scale()));
        roles.put("convert_zero_point", zeros(q.scale()));
        roles.put("y_convert", Computed.exact(Ops.embedding(kernel.dequantize(q), ids)));
        return roles;
    }

    private void embedding(
            GoldenCase c,
            Tensor w_NK,
            Tensor ids,
            IntxScheme scheme,
            GradientRule rule,
            String suffix,
            Map<String, Computed> roles) {
        Parameter table = new Parameter(Ops.copy(w_NK));
        table.setTrainable(true);
        table.setTransform(new WeightFakeQuantizer(scheme, rule, kernels));
        float[] terms = lookedUpAgain(c, Torch.longs(ids), w_NK);
        Tensor y = Ops.embedding(table.value(), ids);
        roles.put("y", Computed.exact(y));
        if (c.has("upstream")) {
            Ops.backward(y, c.inputLike("upstream", y));
            table.collectGradient();
            Tensor gradient = table.gradient();
            if (gradient != null) {
                // A handle of its own, since this one dies with the parameter.
                roles.put("grad_w" + suffix, new Computed(gradient.detach(), Torch.of(terms, Torch.shape(w_NK))));
            }
        }
    }

    /// 1 in the rows that more than one id asks for, whose gradients are sums, else 0.
    private static float[] lookedUpAgain(GoldenCase c, long[] ids, Tensor w_NK) {
        int columns = Math.toIntExact(w_NK.size(1));
        boolean[] seen = new boolean[Math.toIntExact(w_NK.size(0))];
        float[] terms = new float[Math.toIntExact(w_NK.numel())];
        for (long id : ids) {
            if (id < 0 || id >= seen.length) {
                throw c.malformed("the id %d is not a row of 'w'".formatted(id));
            }
            int row = (int) id;
            if (seen[row]) {
                Arrays.fill(terms, row * columns, (row + 1) * columns, 1);
            }
            seen[row] = true;
        }
        return terms;
    }

    /// A stored tensor of torchao: `flat.<name>_qdata`, `…_scale`, `…_zero_point`.
    private Map<String, Computed> unpacked(GoldenCase c) {
        Matcher stored = STORED.matcher(metadata(c));
        if (!stored.find()) {
            throw c.malformed("params.safetensors_metadata has no target_dtype and block_size");
        }
        Tensor w_NK = c.matrix("w");
        int group = checkedGroup(c, Integer.parseInt(stored.group(2)), w_NK);
        IntxScheme scheme = new IntxScheme(
                Integer.parseInt(stored.group(1)), new Granularity.PerGroup(group), false, Numerics.TORCHAO);
        Quantized q =
                Kernels.of(kernels, scheme.weights(Torch.dtype(w_NK)), w_NK).quantize(w_NK);
        Map<String, Computed> roles = new LinkedHashMap<>();
        for (String role : c.roles()) {
            if (role.endsWith("_qdata")) {
                roles.put(role, Computed.exact(q.codes()));
            } else if (role.endsWith("_scale")) {
                roles.put(role, Computed.exact(q.scale()));
            } else if (role.endsWith("_zero_point")) {
                roles.put(role, zeros(q.scale()));
            }
        }
        return roles;
    }

    static String metadata(GoldenCase c) {
        StringBuilder text = new StringBuilder();
        c.parameters()
                .path("safetensors_metadata")
                .forEachEntry((_, value) -> text.append(value.asString("")).append('\n'));
        return text.toString();
    }

    private static Map<String, Computed> packing(GoldenCase c) {
        int bits = c.parameter("bits");
        boolean rows = c.parameter("packed_dim") == 1;
        Tensor codes = c.input("codes");
        Tensor packed = c.input("packed");
        if (bits < 1 || bits > 8) {
            throw c.malformed("params.bits is not 1 to 8");
        }
        if (Torch.dtype(codes) != DType.I8
                || Torch.dtype(packed) != DType.I32
                || codes.dim() != 2
                || packed.dim() != 2
                || codes.numel() == 0) {
            throw c.malformed("'codes' should be an int8 matrix, 'packed' an int32 matrix");
        }
        Tensor inRows = (rows ? codes : codes.transpose(0, 1)).contiguous();
        int columns = Math.toIntExact(inRows.size(1));
        int words = Int32Packing.wordsPerRow(columns, bits);
        int[] ours = Int32Packing.pack(Torch.memory(inRows).toArray(ValueLayout.JAVA_BYTE), columns, bits);
        Tensor packedRows = Torch.of(MemorySegment.ofArray(ours), DType.I32, inRows.size(0), words);
        Tensor theirRows = (rows ? packed : packed.transpose(0, 1)).contiguous();
        Map<String, Computed> roles = new LinkedHashMap<>();
        roles.put("packed", Computed.exact(rows ? packedRows : packedRows.transpose(0, 1)));
        if (theirRows.size(1) == words) {
            int[] theirs = Torch.memory(theirRows).toArray(ValueLayout.JAVA_INT_UNALIGNED);
            byte[] unpacked = Int32Packing.unpack(theirs, columns, bits);
            Tensor codeRows = Torch.of(MemorySegment.ofArray(unpacked), DType.I8, theirRows.size(0), columns);
            roles.put("codes", Computed.exact(rows ? codeRows : codeRows.transpose(0, 1)));
        }
        return roles;
    }

    private static IntxScheme linearScheme(GoldenCase c) {
        return weightScheme(c, c.matrix("w"), !c.scheme().contains("IntxWeightOnlyConfig"));
    }

    /// The scheme of a weight: int4 where the case does not say, and a scale for each row where it has no groups.
    private static IntxScheme weightScheme(GoldenCase c, Tensor w_NK, boolean int8Activations) {
        int group = checkedGroup(c, c.parameter("group_size", Math.toIntExact(w_NK.size(1))), w_NK);
        return new IntxScheme(c.parameter("bits", 4), new Granularity.PerGroup(group), int8Activations, numerics(c));
    }

    static int checkedGroup(GoldenCase c, int group, Tensor w_NK) {
        if (group < 2 || w_NK.size(1) % group != 0) {
            throw c.malformed("groups of %d do not divide the %d columns of 'w'".formatted(group, w_NK.size(1)));
        }
        return group;
    }

    /// A scheme with these int8 activations.
    private static IntxScheme activations(Numerics numerics) {
        return new IntxScheme(8, new Granularity.PerAxis(), true, numerics);
    }

    private static Numerics numerics(GoldenCase c) {
        return c.scheme().contains("legacy") || c.scheme().contains("QATQuantizer")
                ? Numerics.TORCHAO_LEGACY
                : Numerics.TORCHAO;
    }

    /// The zero points of symmetric codes.
    static Computed zeros(Tensor scale) {
        return Computed.exact(Torch.zeros(DType.I32, Torch.shape(scale)));
    }
}
